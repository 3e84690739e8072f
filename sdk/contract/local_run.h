// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

#include "pbotvm/job.h"

namespace pbotvm::contract {

/// Runs a job's steps with the programs of this system, in a directory that is gone afterwards, and tells what happened
/// as a guest would. For code of one's own: nothing contains it. A step that takes longer than `patience` is ended.
/// Throws Error{unavailable} where the directory or a file cannot be made.
Result run_here(const Job& job, std::chrono::seconds patience);

}  // namespace pbotvm::contract

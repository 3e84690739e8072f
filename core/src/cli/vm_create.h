// SPDX-License-Identifier: MIT
#pragma once

#include "cli/command.h"

namespace pbotvm::cli {

/// `pbotvm vm create`; the words are those behind "create". Nothing that exists is overwritten, and what was made is
/// removed again when a later step fails. Throws Error, UsageError.
int run_vm_create(const Invocation& invocation);

}  // namespace pbotvm::cli

// SPDX-License-Identifier: MIT
#pragma once

#include "cli/command.h"

namespace pbotvm::cli {

inline constexpr char doctor_usage[] =
    "pbotvm [--config FILE] doctor [--json]\n"
    "Looks at what a host needs. One line each: ok, warn or fail, what was looked at, what was found, what to do.\n"
    "Exit status: 0 where nothing failed, 1 otherwise.\n";

/// `pbotvm doctor`.
int run_doctor(const Invocation& invocation);

}  // namespace pbotvm::cli

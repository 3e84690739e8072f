// SPDX-License-Identifier: MIT
#pragma once

#include "cli/command.h"

namespace pbotvm::cli {

inline constexpr char exec_usage[] =
    "vm-exec [-lang=LANGUAGE] [-vm=MACHINE] [OPTION...] CODE\n"
    "       vm-exec < FILE\n"
    "       pbotvm [--config FILE] exec ...                          --help alone prints this, -- --help is code\n"
    "Runs code in a guest over its own lines, before any host runs. Where a host holds the machine, goes through it.\n"
    "Exit status: 0 the code was run, 1 the request was refused, 69 the guest does not answer.\n";

/// `pbotvm exec`, `vm-exec`: all words are the code.
int run_exec(const Invocation& invocation);

}  // namespace pbotvm::cli

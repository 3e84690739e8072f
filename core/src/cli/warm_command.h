// SPDX-License-Identifier: MIT
#pragma once

#include "cli/command.h"

namespace pbotvm::cli {

inline constexpr char warm_usage[] =
    "pbotvm [--config FILE] warm [MACHINE]\n"
    "Runs the hello program of every language once in the guest, so that compilers and interpreters are in its memory\n"
    "when its snapshot is taken. A host does that by itself before it takes one.\n"
    "Exit status: 0, also where the guest lacks a language; 69 the guest does not answer.\n";

/// `pbotvm warm`.
int run_warm(const Invocation& invocation);

}  // namespace pbotvm::cli

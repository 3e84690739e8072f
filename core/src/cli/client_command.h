// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "cli/command.h"

namespace pbotvm::cli {

/// The request of somebody who runs code: the arguments, else standard input; without one, throws UsageError.
std::string requested_line(const Words& arguments);

/// `pbotvm run`, `vm-client`: all words are the code.
int run_client(const Invocation& invocation);

inline constexpr char client_usage[] =
    "vm-client [-lang=LANGUAGE] [-vm=MACHINE] [OPTION...] CODE\n"
    "       vm-client < FILE\n"
    "       pbotvm [--config FILE] run ...                           --help alone prints this, -- --help is code\n"
    "Sends the arguments, joined with spaces, to PBOTVM_ADDR:PBOTVM_SERVER and prints the reply.\n";

}  // namespace pbotvm::cli

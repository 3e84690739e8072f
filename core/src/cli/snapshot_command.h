// SPDX-License-Identifier: MIT
#pragma once

#include "cli/command.h"

namespace pbotvm::cli {

inline constexpr char snapshot_usage[] =
    "pbotvm [--config FILE] snapshot list [MACHINE] [--json]\n"
    "       pbotvm [--config FILE] snapshot create NAME [MACHINE]    save the running machine\n"
    "       pbotvm [--config FILE] snapshot revert NAME [MACHINE]    take it back\n"
    "       pbotvm [--config FILE] snapshot delete NAME [MACHINE]\n"
    "Through the host that holds the machine, else through the machine's own back end.\n";

/// `pbotvm snapshot`.
int run_snapshot(const Invocation& invocation);

}  // namespace pbotvm::cli

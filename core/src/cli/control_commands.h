// SPDX-License-Identifier: MIT
#pragma once

#include "cli/command.h"

namespace pbotvm::cli {

// What a running host is asked over control.sock.
int show_status(const Invocation& invocation);
int revert_machine(const Invocation& invocation);
int show_health(const Invocation& invocation);

}  // namespace pbotvm::cli

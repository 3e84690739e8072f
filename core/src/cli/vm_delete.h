// SPDX-License-Identifier: MIT
#pragma once

#include "cli/command.h"

namespace pbotvm::cli {

/// `pbotvm vm delete`; the words are those behind "delete". Refuses while the machine runs or a host holds it. Throws
/// Error, UsageError.
int run_vm_delete(const Invocation& invocation);

}  // namespace pbotvm::cli

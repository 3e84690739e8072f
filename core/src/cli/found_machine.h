// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/configuration.h"
#include "machine/machine.h"
#include "plugin/registry.h"

namespace pbotvm::cli {

/// Warnings of the machine's thread go to standard error, each as one line: the operator sees at once why it takes long
/// to find the guest.
void show_warnings();

/// The machine as it is, over its transports: somebody else started it, and it is left as it is found. Not started yet.
/// `tools` is what the guest is asked for. Throws Error.
std::unique_ptr<machine::Machine> found_machine(const plugin::Registry& plugins,
                                                config::MachineConfiguration configuration,
                                                std::vector<std::string> tools);

}  // namespace pbotvm::cli

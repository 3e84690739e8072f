// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "config/configuration.h"
#include "service/catalogue.h"

namespace pbotvm::host {

/// Finds the mistakes in the settings for which a start would end with status 78, and throws the first one. It
/// leaves no trace and needs no privileges; a host with the same configuration may be running meanwhile. Returns what
/// only a start can tell, a line each.
std::vector<std::string> check_configuration(const config::Configuration& configuration);

/// What the back end is told of its machine: it gives the machine a vsock device where there is a context id, and none
/// is needed that no transport in use is for.
MachineSettings settings_for_hypervisor(const config::MachineConfiguration& machine, bool uses_vsock);

/// Throws ConfigurationError where `host.language` is none of the catalogue's.
void check_language(const service::Catalogue& catalogue, const config::Configuration& configuration);

}  // namespace pbotvm::host

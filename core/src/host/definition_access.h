// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "config/configuration.h"
#include "host/privileges.h"
#include "service/catalogue.h"

namespace pbotvm::host {

/// A start by root reads definitions as root; what SIGHUP reads is read as the daemon's user. A line for each directory
/// and file of a definition that root read and this user may not, by owner and mode; directories above those of
/// host.languages do not count, as they are held open. Called by root, before it becomes that user.
std::vector<std::string> definitions_out_of_reach(const config::Configuration& configuration,
                                                  const service::Catalogue& catalogue, const DaemonUser& user);

}  // namespace pbotvm::host

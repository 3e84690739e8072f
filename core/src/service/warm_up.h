// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "config/configuration.h"
#include "machine/machine.h"
#include "plugin/patient_guard.h"
#include "service/catalogue.h"

namespace pbotvm::service {

/// Hello programs to be run once before a snapshot is taken: one language for each distinct set of tools, the host's
/// default language first, then those with the fewest steps, as what only interprets is sooner done. A plug-in that
/// fails is logged and passed over.
std::vector<machine::WarmUp> warm_up_jobs(const config::Configuration& configuration, const Catalogue& catalogue,
                                          plugin::PatientGuard& guard);

}  // namespace pbotvm::service

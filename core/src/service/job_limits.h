// SPDX-License-Identifier: MIT
#pragma once

#include "config/configuration.h"
#include "pbotvm/job.h"

namespace pbotvm::service {

/// A job's limits as the configuration has them, where the language named none or larger ones.
void fill_limits(const config::Configuration& configuration, Limits& limits);

}  // namespace pbotvm::service

// SPDX-License-Identifier: MIT
#pragma once

#include "config/configuration.h"

namespace pbotvm::host {

/// Sends every Poco logger to standard error: "2026-01-31T12:00:00.123Z information machine: text", one line a message
/// whatever its text holds. Once, at start-up.
void set_up_log(config::LogLevel level);

}  // namespace pbotvm::host

// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "config/configuration.h"
#include "machine/session.h"
#include "pbotvm/transport.h"

namespace pbotvm::machine {

/// Connects and makes a session in the guest's dialect of it. Borrows `transport`, whose plug-in has that name. Throws
/// Error.
std::unique_ptr<Session> open_session(config::Dialect dialect, const std::string& plugin, Transport& transport,
                                      const Deadline& deadline);

}  // namespace pbotvm::machine

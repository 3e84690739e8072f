// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <string>

#include "pbotvm/endpoint.h"
#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::qemu {

inline constexpr mode_t line_mode = 0660;     ///< of a line's Unix socket: its user and group
inline constexpr mode_t monitor_mode = 0600;  ///< of a monitor's: who writes there has all that QEMU has

/// Listens on `endpoint`, which must not be none. QEMU inherits the socket: that way a port that is taken is found
/// before QEMU starts, and nobody can take it in between. A Unix socket that nobody serves any more is replaced; it is
/// accessible as `mode` says. Throws Error{unavailable} that names `line` and the endpoint when it is
/// taken.
UniqueFd listen_on(const Endpoint& endpoint, const std::string& line, mode_t mode = line_mode);

/// Removes a Unix socket's file. A no-op for other endpoints, and where it is gone.
void remove_socket(const Endpoint& endpoint) noexcept;

}  // namespace pbotvm::qemu

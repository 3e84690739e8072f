// SPDX-License-Identifier: MIT
#pragma once

// Opening what lines run over.

#include <cstdint>
#include <string>

#include "pbotvm/unique_fd.h"

namespace pbotvm::guest {

/// A tty in raw mode without echo, non-blocking. Throws SystemError when there is no working device behind it.
UniqueFd open_serial(const std::string& device);

/// A virtio-serial port by its path or its name (a machine without udev has no /dev/virtio-ports). Throws SystemError.
UniqueFd open_virtio_serial(const std::string& name);

/// What a heartbeat is written to: a tty (raw), a pipe or a file. Throws SystemError.
UniqueFd open_heartbeat(const std::string& path);

/// A listening VM socket, for whoever reaches this machine. Throws SystemError, also where the system has none.
UniqueFd listen_on_vsock(std::uint32_t port);

/// A listening Unix socket; one that nobody listens on any more is replaced. Throws SystemError.
UniqueFd listen_on(const std::string& path);

}  // namespace pbotvm::guest

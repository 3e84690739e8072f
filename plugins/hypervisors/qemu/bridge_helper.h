// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "pbotvm/deadline.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::qemu {

/// A new port of a bridge of this system: a tap device, which goes with the last copy of the descriptor. Made by QEMU's
/// own helper, which this process runs, as QEMU's sandbox keeps it from running anything. Works where this process is
/// root or the helper is setuid root, and /etc/qemu/bridge.conf allows the bridge. `helper`: its path, empty: where the
/// distributions have it. Throws Error{unavailable} with the helper's own words and the remedy.
UniqueFd open_bridge_port(const std::string& bridge, const std::string& helper, const Deadline& deadline);

}  // namespace pbotvm::qemu

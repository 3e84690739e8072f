// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "connection.h"
#include "pbotvm/deadline.h"

namespace pbotvm::libvirt {

/// Puts the running domain back to one of its internal snapshots within its QEMU, by the job snapshot-load of QEMU's
/// own monitor. libvirt marks the domain as tainted (custom-monitor) and knows nothing of it. Throws LibvirtError, or
/// Error{refused} with QEMU's own words.
/// https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html#qapidoc-snapshot-load
void fast_revert(const Connection& connection, virDomainPtr domain, const std::string& snapshot,
                 const Deadline& deadline);

}  // namespace pbotvm::libvirt

// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>

#include "pbotvm/settings.h"

namespace pbotvm::libvirt {

/// The map `machines.NAME.hypervisor` of this back end, checked.
struct LibvirtSettings {
  std::string uri = "qemu:///system";
  bool fast_revert = false;          ///< through QEMU's own monitor, which taints the domain
  std::chrono::seconds shutdown{0};  ///< how long the guest may take to shut down by itself; 0: it is not asked
};

/// Throws ConfigurationError at the first key or value that is not understood.
LibvirtSettings read_settings(const Settings& settings);

}  // namespace pbotvm::libvirt

// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "devices.h"
#include "pbotvm/endpoint.h"
#include "pbotvm/settings.h"

namespace pbotvm::qemu {

// Each reads one key of the map `machines.NAME.hypervisor`, which may be absent. Throws ConfigurationError at what is
// not understood, and at what would not be safe.

/// Type and options of QEMU's -machine.
std::string read_machine(const Settings& settings);

/// Files that are there; a format that the file itself contradicts is a mistake.
std::vector<Disk> read_disks(const Settings& settings);

std::vector<Nic> read_nics(const Settings& settings);

/// Serial ports beside those of the host.
std::vector<Endpoint> read_serials(const Settings& settings);

Display read_display(const Settings& settings);

/// Further arguments, without those that would take the machine out of the host's hands.
std::vector<std::string> read_extra(const Settings& settings);

/// A word for QEMU or the kernel: an empty one, or one with a control character, is a mistake.
std::string read_words(const Settings& node, const std::string& what, bool may_be_empty);

}  // namespace pbotvm::qemu

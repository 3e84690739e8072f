// SPDX-License-Identifier: MIT
#pragma once

// What is read out of libvirt's XML. https://libvirt.org/formatdomain.html, https://libvirt.org/formatsnapshot.html

#include <string>
#include <vector>

#include "pbotvm/hypervisor.h"

namespace pbotvm::libvirt {

/// A snapshot as libvirt describes it.
struct SnapshotDescription {
  std::string name;
  std::string taken;        ///< UTC, "2026-11-21T10:00:00Z"
  bool has_memory = false;  ///< it was taken of a running domain, memory included
};

/// Throws Error{protocol} on what is no description of a snapshot.
SnapshotDescription parse_snapshot(const std::string& xml);

/// The XML from which libvirt makes a snapshot of a running domain.
std::string snapshot_request(const std::string& name);

/// One line about the devices that the machine's settings name and that the domain does not have, with the commands
/// that add them; empty when it has them all. Throws Error{protocol} on what is no description of a domain.
std::string missing_devices(const std::string& domain_xml, const MachineSettings& machine);

}  // namespace pbotvm::libvirt

// SPDX-License-Identifier: MIT
#pragma once

// What is done to the domain, each over one connection and on the thread that owns it; may block. All throw Error.

#include <chrono>
#include <string>
#include <vector>

#include "connection.h"
#include "pbotvm/deadline.h"
#include "pbotvm/hypervisor.h"

namespace pbotvm::libvirt {

/// How a domain was brought up, and the description of what runs then.
struct StartedDomain {
  Started how;
  std::string xml;
};

/// Brings the domain up: to its snapshot where there is one, else it is booted, or taken as it is where it runs.
StartedDomain start_domain(const Connection& connection, const std::string& snapshot);

/// Saves the running domain under that name, memory included.
void create_snapshot(const Connection& connection, const std::string& name);

/// The same, in the place of an older one of that name.
void replace_snapshot(const Connection& connection, const std::string& name);

/// Puts the domain back, and has it run, whether it ran before or not. Refuses a snapshot without memory.
void revert_domain(const Connection& connection, const std::string& name);

/// The same within the running QEMU (see fast_revert.h).
void revert_domain_fast(const Connection& connection, const std::string& name, const Deadline& deadline);

void remove_snapshot(const Connection& connection, const std::string& name);

/// Oldest first.
std::vector<Snapshot> list_snapshots(const Connection& connection);

/// Asks the guest to shut down where `patience` is not 0, then ends the domain. A no-op where it does not run.
void stop_domain(const Connection& connection, std::chrono::milliseconds patience);

}  // namespace pbotvm::libvirt

// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "config/configuration.h"

namespace pbotvm::cli::doctor {

/// What one look at the system found.
struct Finding {
  enum class State { ok, warn, fail };
  State state = State::ok;
  std::string check;  ///< what was looked at
  std::string found;
  std::string remedy{};  ///< what to do; empty where nothing is to be done
};
using Findings = std::vector<Finding>;

/// Where the looks go. Tests look at a tree of their own.
struct System {
  std::filesystem::path root = "/";  ///< below it are proc, sys, dev, etc and lib
  std::string kernel;                ///< its release, uname(2)
  uid_t user = 0;
  std::string user_name;
  std::vector<std::string> groups;  ///< names of those that this process has
};

/// The one that this program runs on.
System this_system();

// The checks. Each is bounded in time and opens nothing but devices' nodes: no connection is made, because a line of a
// machine takes one client only. `host` is a running host's answer to "status", null where none runs.

Finding check_processor(const System& system);
Finding check_kvm(const System& system, const config::Configuration& configuration);
Findings check_modules(const System& system, const config::Configuration& configuration);
Finding check_vsock(const System& system, const config::Configuration& configuration);
Findings check_groups(const System& system, const config::Configuration& configuration);

/// QEMU, libvirtd and virsh, side by side.
Findings check_programs(const config::Configuration& configuration);

Finding check_host(const config::Configuration& configuration, const nlohmann::json& host);
Findings check_ports(const config::Configuration& configuration, const nlohmann::json& host);

Findings check_images(const config::Configuration& configuration);
Findings check_snapshots(const config::Configuration& configuration);
Finding check_space(const config::Configuration& configuration);
Findings check_plugins(const config::Configuration& configuration);

/// "ok    WHAT: what was found - the remedy"
std::string finding_text(const Finding& finding);
nlohmann::json finding_json(const Finding& finding);

}  // namespace pbotvm::cli::doctor

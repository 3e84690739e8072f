// SPDX-License-Identifier: MIT
#pragma once

// The one table of settings: what may be written where, how it is checked, and where the value goes. Reading, merging,
// checking and --help all derive from it.

#include <functional>
#include <string>
#include <vector>

#include "config/configuration.h"
#include "config/values.h"

namespace pbotvm::config {

/// What stands in a key for the machine's own name, and what a built-in default may refer to.
inline constexpr const char* name_placeholder = "NAME";
inline constexpr const char* prefix_placeholder = "PREFIX";
inline constexpr const char* host_prefix = "host.";
inline constexpr const char* machine_prefix = "machines.NAME.";

struct Row {
  std::string yaml;                      ///< "host.server", "machines.NAME.serial"
  std::vector<std::string> environment;  ///< names of one setting; the first is the preferred one
  std::string type;
  std::string fallback;  ///< the built-in default, in YAML
  std::string meaning;
  /// Exactly one of these two: checks one value and stores it. Called once for every source, lowest first.
  std::function<void(Configuration&, const Given&)> host;
  std::function<void(MachineConfiguration&, const Given&)> machine;
  bool negative_switch = false;  ///< the variable, set and neither empty nor 0, means "never"
};

const std::vector<Row>& table();

}  // namespace pbotvm::config

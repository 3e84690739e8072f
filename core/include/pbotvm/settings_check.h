// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "pbotvm/machine_settings.h"
#include "pbotvm/settings.h"

PBOTVM_BEGIN_NAMESPACE

/// Extension of a TransportFactory or HypervisorFactory that can say what is wrong with settings without making
/// anything of them, for `pbotvm-host --check-config`. The factory's class derives from it beside the factory's
/// interface, and is asked for it with dynamic_cast; of a plug-in without it the check says that its settings were not
/// checked. Called by one thread. Never gains virtuals.
class PBOTVM_EXPORT SettingsCheck {
 public:
  virtual ~SettingsCheck();

  /// Called once for every machine, in the order of the configuration, with what create() would be called with. Throws
  /// ConfigurationError wherever create() would. It must leave no trace: it may read, but it makes, locks and connects
  /// to nothing, as a host with the same settings may be running. It may be called by another user than the host's and
  /// in another working directory than STATE. Returns what can be known at a start only, a line each: "bridge port br0:
  /// it is opened when the host starts".
  virtual std::vector<std::string> check(const MachineSettings& machine, const Settings& settings) = 0;
};

PBOTVM_END_NAMESPACE

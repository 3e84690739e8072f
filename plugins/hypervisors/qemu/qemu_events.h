// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "pbotvm/hypervisor.h"

namespace pbotvm::qemu {

inline constexpr std::size_t max_machine_events = 64;  ///< kept until they are taken; the oldest are dropped

/// Turns what QEMU reports of one life of a machine into what the host wants to know. One thread at a time.
class QemuEvents {
 public:
  /// `event` as it came over QMP. `asked_for`: the host's own command stopped the machine for a moment, so that its
  /// stopping and resuming are no news. Returns a line for the log, empty where there is nothing to say.
  std::string take(const nlohmann::json& event, bool asked_for);

  /// QEMU is gone, and nobody here ended it.
  void ended(const std::string& how);

  std::optional<HypervisorEvent> next();

  /// A new life begins.
  void clear();

 private:
  void add(HypervisorEvent::Kind kind, const std::string& text);
  bool take_io_error(const nlohmann::json& data, const std::string& text);

  std::deque<HypervisorEvent> events_;
  bool paused_by_disk_ = false;
  bool io_error_told_ = false;
  std::string shutdown_;  // why QEMU is about to end, in its own words
};

}  // namespace pbotvm::qemu

// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "config/configuration.h"
#include "pbotvm/unique_fd.h"
#include "qmp/left_qemu.h"

namespace pbotvm::cli {

/// A machine of the hypervisor qemu that runs although no host does, as its setting `outlive` has it.
class LeftMachine {
 public:
  /// The QEMU that a host left; nothing where there is none. Its identity is checked: no other process is taken for it.
  static std::optional<LeftMachine> find(const config::Configuration& configuration,
                                         const config::MachineConfiguration& machine);

  pid_t pid() const { return pid_; }

  /// Asks the guest to shut down. Changes into the machine's directory. Throws Error.
  void ask_to_stop() const;

  /// Ends QEMU, as if the machine's power was cut. Throws Error where this user may not, or it does not end.
  void end() const;

 private:
  LeftMachine(std::filesystem::path directory, const qmp::LeftQemu& left, UniqueFd process)
      : directory_(std::move(directory)), pid_(left.pid), identity_(left.identity), process_(std::move(process)) {}

  std::filesystem::path directory_;
  pid_t pid_;
  std::string identity_;
  UniqueFd process_;  // a pidfd
};

}  // namespace pbotvm::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "pbotvm/machine_settings.h"
#include "qemu_settings.h"

namespace pbotvm::qemu {

/// Which machine of this host listens where, beside the lines that every back end has, which the host compares itself:
/// further serial ports, a screen's port, forwarded ports. One thread at a time.
class LineClaims {
 public:
  /// Throws ConfigurationError when two machines, or two devices of one, would listen in one place.
  void claim(const MachineSettings& machine, const QemuSettings& settings);

 private:
  struct Claim {
    std::string machine;
    std::string key;  ///< "serials"
    Endpoint endpoint;
    bool compared;  ///< by the host already, with others that are
  };
  void add(const Claim& claim);

  std::vector<Claim> claims_;
};

}  // namespace pbotvm::qemu

// SPDX-License-Identifier: MIT
#pragma once

// The network of one sandbox: nothing but a loopback interface. Used by the warden, inside the namespaces.

#include <string>

namespace pbotvm::guest {

class JobNetwork {
 public:
  /// Turns the loopback interface on. Throws SystemError.
  JobNetwork();

  /// Whether no job has used it: no socket is left, and not a packet was sent. Then there are no connections that wait
  /// for their end, no ports that are taken, no addresses that are remembered.
  bool untouched() const;

 private:
  std::string interfaces_;  // with what they have carried
};

}  // namespace pbotvm::guest

// SPDX-License-Identifier: MIT
#pragma once

// The network of one sandbox: nothing but a loopback interface. Used by the warden, inside the namespaces.

#include <string>

#include "pbotvm/unique_fd.h"

namespace pbotvm::guest {

class JobNetwork {
 public:
  /// Turns the loopback interface on. Throws SystemError.
  JobNetwork();

  /// Whether no job has used it: no socket is left, and not a packet was sent. Then there are no connections that wait
  /// for their end, no ports that are taken, no addresses that are remembered.
  bool untouched() const;

 private:
  UniqueFd interfaces_, sockets_;  // of proc: opened once, as looking a file up there costs more than reading it
  std::string unused_;             // what the interfaces have carried at first
};

}  // namespace pbotvm::guest

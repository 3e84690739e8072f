// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "devices.h"

namespace pbotvm::qemu {

/// Which machine of this host has which file as its disk. One thread at a time.
class DiskClaims {
 public:
  /// Throws ConfigurationError at the disk when another machine, or another disk of this one, has a file of its chain,
  /// and one of the two writes to it.
  void claim(const std::string& machine, const std::vector<Disk>& disks);

 private:
  struct Claim {
    std::string machine;
    bool writes;
  };
  std::multimap<std::pair<std::uint64_t, std::uint64_t>, Claim> claims_;  // by device and inode
};

}  // namespace pbotvm::qemu

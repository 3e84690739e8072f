// SPDX-License-Identifier: MIT
#include "disk_claims.h"

#include <sys/stat.h>

#include "disk_chain.h"
#include "pbotvm/settings.h"

namespace pbotvm::qemu {

void DiskClaims::claim(const std::string& machine, const std::vector<Disk>& disks) {
  std::erase_if(claims_, [&machine](const auto& entry) { return entry.second.machine == machine; });
  for (const Disk& disk : disks) {
    bool writes = !disk.read_only;
    for (const std::string& file : disk_chain(disk)) {
      struct stat status {};
      if (::stat(file.c_str(), &status) != 0) break;  // QEMU says so when it starts
      const std::pair<std::uint64_t, std::uint64_t> key(status.st_dev, status.st_ino);
      const auto [first, last] = claims_.equal_range(key);
      for (auto claim = first; claim != last; ++claim)
        if (writes || claim->second.writes)
          throw ConfigurationError(disk.position,
                                   "disk " + file + " of machine '" + machine + "' is a disk of machine '" +
                                       claim->second.machine +
                                       "' already, and one of them writes to it; give each an overlay of its own");
      claims_.emplace(key, Claim{machine, writes});
      writes = false;  // backing files are only read
    }
  }
}

}  // namespace pbotvm::qemu

// SPDX-License-Identifier: MIT
#pragma once

// The file systems that are one job's alone: what it may write to, all of it in memory that its control group pays for,
// and the kernel's view of its processes. Made and watched over by the warden, inside the sandbox's namespaces.

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "pbotvm/unique_fd.h"
#include "warden.h"

namespace pbotvm::guest {

class JobFiles {
 public:
  /// Mounts everything but the job's directory. Throws SystemError.
  explicit JobFiles(const WardenPlan& plan);

  /// Mounts the job's directory, empty.
  void mount_work() const;

  /// Whether a job has left neither terminals nor message queues. Files do not count: renew() throws them away.
  bool untouched() const;

  /// Makes all that can be written to as new, with room for a job with so much memory (bytes). False when something of
  /// it is still in use. Throws SystemError.
  bool renew(std::uint64_t memory);

 private:
  struct SharedDirectory;
  static const SharedDirectory shared_directories[];
  void mount_shared(const SharedDirectory& directory, unsigned long flags = 0) const;
  bool renew_shared(const SharedDirectory& directory, bool other_room) const;
  std::string room(std::uint64_t part) const;

  const WardenPlan& plan_;
  std::uint64_t memory_;
  UniqueFd message_queues_;
  off_t no_queues_ = 0;  // bytes of their directory when it is empty
};

}  // namespace pbotvm::guest

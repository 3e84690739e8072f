// SPDX-License-Identifier: MIT
#pragma once

// The control group above those of all jobs (cgroup v2, see the kernel's Documentation/admin-guide/cgroup-v2.rst). It
// bounds what they use together, so that the machine's kernel and this program always have room.

#include <map>
#include <string>

#include "pbotvm/unique_fd.h"

namespace pbotvm::guest {

class CgroupParent {
 public:
  /// Makes it, with every controller that there is. Throws SystemError when there are no control groups of version 2.
  CgroupParent();

  int directory() const { return directory_.get(); }

  /// Why jobs are not held by this controller ("memory", "pids", "cpu"), or nothing.
  std::string missing(const std::string& controller) const { return missing_.at(controller); }

 private:
  UniqueFd directory_;
  std::map<std::string, std::string> missing_;
};

/// What all jobs may use together of a machine's memory; both in bytes.
std::uint64_t memory_for_jobs(std::uint64_t machine);

}  // namespace pbotvm::guest

// SPDX-License-Identifier: MIT
#pragma once

// The control group of one job (cgroup v2, see the kernel's Documentation/admin-guide/cgroup-v2.rst).

#include <chrono>
#include <cstdint>
#include <string>

#include "pbotvm/unique_fd.h"

namespace pbotvm::guest {

/// What a job's control group bounds; zero is no bound.
struct Bounds {
  std::uint64_t memory = 0;  ///< bytes
  std::uint32_t processes = 0;
  friend bool operator==(const Bounds&, const Bounds&) = default;
};

/// Processor time of all processes that a group ever had.
struct CpuTime {
  std::chrono::microseconds used{0}, user{0}, system{0};
};

/// Made before its job is known; removed when it is destroyed, or as soon as it has become empty.
class JobCgroup {
 public:
  /// `parent` is a directory descriptor and outlives this. Throws SystemError.
  JobCgroup(int parent, const Bounds& bounds);
  JobCgroup(const JobCgroup&) = delete;
  ~JobCgroup();

  /// Throws SystemError when the kernel lacks something that is needed later.
  void check() const;

  void bound(const Bounds& bounds);
  int directory() const { return directory_.get(); }  ///< for CLONE_INTO_CGROUP
  void kill();                                        ///< SIGKILL to every process in it
  bool empty() const;                                 ///< whether no process is in it
  bool memory_struck() const;                         ///< the memory killer was here
  bool processes_struck() const { return refused_forks() > 0; }
  std::uint64_t refused_forks() const;   ///< because of the bound on processes
  std::uint64_t peak_memory() const;     ///< bytes, since this was made
  std::uint64_t present_memory() const;  ///< bytes
  CpuTime cpu_used() const;              ///< since this was made

  /// Removes what a former run of this program has left behind, where it is empty.
  static void remove_leftovers(int parent);

 private:
  int parent_;
  std::string name_;
  Bounds bounds_;
  UniqueFd directory_, peak_, present_, pids_events_, events_, cpu_;
};

}  // namespace pbotvm::guest

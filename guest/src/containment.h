// SPDX-License-Identifier: MIT
#pragma once

// What keeps a job in its place, piece by piece, and what the program does where the system cannot give a piece.

#include <sys/types.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cgroup_parent.h"
#include "options.h"
#include "pbotvm/unique_fd.h"
#include "protocol/messages.h"
#include "warden.h"

namespace pbotvm::guest {

/// Every piece, as --allow-missing and a welcome name it.
inline constexpr std::array<std::string_view, 13> containment_pieces = {
    "namespaces",  // own processes, mounts, names of the system, System V objects and message queues
    "devices",     // a /dev of its own that holds only what programs need
    "network",     // an empty one of its own
    "cgroup",      // a control group (version 2) of its own: ended as a whole, proven empty
    "memory",      // bounded through it, and for all jobs together
    "processes",   // bounded through it, and for all jobs together
    "cpu",         // shared evenly with other jobs
    "user",        // a user without rights, and no way to any
    "filter",      // of system calls
    "core",        // core files are written only where the job itself may write
    "clock",       // the time of day is set by a hello
    "entropy",     // the kernel's random numbers are seeded by a hello
    "priority",    // this program is out of reach of the memory killer and of busy processors
};

class Containment {
 public:
  /// Finds out what the system gives. Creates the parent of all jobs' control groups.
  explicit Containment(const Options& options);

  /// One line for each piece that is missing and that no option accepts.
  std::vector<std::string> complaints() const;

  bool given(std::string_view piece) const;
  const std::vector<protocol::Containment>& pieces() const { return pieces_; }

  uid_t uid() const { return uid_; }
  gid_t gid() const { return gid_; }
  const std::string& user() const { return user_; }
  const std::string& work() const { return work_; }
  /// For a sandbox, with a network of its own or with the machine's; `memory` is the job's bound in bytes.
  WardenPlan plan(bool network, std::uint64_t memory) const;
  int pid_namespace() const { return pid_namespace_.get(); }  ///< this program's own, to come back to
  /// Directory descriptor, -1 without the piece "cgroup".
  int cgroup_parent() const { return cgroup_parent_ ? cgroup_parent_->directory() : -1; }

 private:
  void record(std::string_view piece, const std::string& why);
  void prepare_namespaces();
  std::string open_view(bool devices);
  void prepare_cgroup();
  std::string prepare_user();
  std::string prepare_core() const;
  std::string prepare_clock() const;
  std::string prepare_entropy() const;
  std::string prepare_priority() const;
  bool accepted(std::string_view piece) const;

  std::set<std::string> allow_missing_;
  std::vector<protocol::Containment> pieces_;
  std::string user_, work_;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  std::optional<CgroupParent> cgroup_parent_;
  UniqueFd pid_namespace_, view_;
};

/// What a hello brings: a restored machine has an old clock and repeats its random numbers. Throws SystemError.
void set_clock(std::int64_t time_ns);
void seed_kernel(std::string_view seed);

}  // namespace pbotvm::guest

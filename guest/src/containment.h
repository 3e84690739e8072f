// SPDX-License-Identifier: MIT
#pragma once

// What keeps a job in its place, piece by piece, and what the program does where the system cannot give a piece.

#include <sys/types.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "options.h"
#include "pbotvm/unique_fd.h"
#include "protocol/messages.h"

namespace pbotvm::guest {

/// Every piece, as --allow-missing and a welcome name it.
inline constexpr std::array<std::string_view, 8> containment_pieces = {
    "namespaces",  // own processes, mounts and System V objects
    "cgroup",      // a control group (version 2) of its own: ended as a whole, proven empty
    "memory",      // bounded through it
    "processes",   // bounded through it
    "user",        // a user without rights
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
  int pid_namespace() const { return pid_namespace_.get(); }  ///< this program's own, to come back to
  int cgroup_parent() const { return cgroup_parent_.get(); }  ///< directory descriptor, -1 without the piece "cgroup"

 private:
  void record(std::string_view piece, const std::string& why);
  std::string prepare_namespaces();
  std::string prepare_cgroup();
  std::string prepare_user();
  std::string prepare_clock() const;
  std::string prepare_entropy() const;
  std::string prepare_priority() const;
  bool accepted(std::string_view piece) const;

  std::set<std::string> allow_missing_;
  std::vector<protocol::Containment> pieces_;
  std::string user_, work_;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  UniqueFd cgroup_parent_, pid_namespace_;
  std::string controllers_;
};

/// What a hello brings: a restored machine has an old clock and repeats its random numbers. Throws SystemError.
void set_clock(std::int64_t time_ns);
void seed_kernel(std::string_view seed);

}  // namespace pbotvm::guest

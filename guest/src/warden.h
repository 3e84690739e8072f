// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace pbotvm::guest {

/// What a warden says, each followed by nothing else, but for `failed`: a text.
inline constexpr char warden_ready = 'r';
inline constexpr char warden_failed = 'f';
inline constexpr char warden_swept = 's';
inline constexpr char warden_renewed = 'n';
inline constexpr char warden_touched = 't';

/// What it is told.
struct WardenOrder {
  enum class What : std::uint8_t {
    sweep,  ///< end every other process
    renew,  ///< make everything as new for another job, or say that it cannot be certain of that
  };
  What what;
  std::uint64_t memory = 0;  ///< renew: as in WardenPlan
};

/// What a sandbox is made of.
struct WardenPlan {
  int view = -1;        ///< the mounts that it begins with (mount_view.h)
  bool devices = true;  ///< these have a /dev of their own
  bool network = true;  ///< it has a network of its own, which is empty
  std::string work;     ///< where the job's directory is
  uid_t uid = 0;        ///< whose that is
  gid_t gid = 0;
  std::uint64_t memory = 0;  ///< bytes that the job may use: its file systems are measured by them; 0: not bounded
};

/// Process 1 of a sandbox's namespaces: makes the mounts, reaps what a job leaves behind, and ends every other process
/// when it is told to. Its own end is the end of all of them. Never returns.
[[noreturn]] void run_warden(int words, const WardenPlan& plan);

}  // namespace pbotvm::guest

// SPDX-License-Identifier: MIT
#pragma once

// A child process of this program, by its descriptor: a number may be used again, a descriptor never means another.

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "pbotvm/unique_fd.h"

namespace pbotvm::guest {

struct ExitStatus {
  int exit_code = 0;
  int signal = 0;
  rusage usage{};
};

class Process {
 public:
  Process() = default;
  Process(pid_t pid, UniqueFd fd) : pid_(pid), fd_(std::move(fd)) {}

  /// Whether there is one that was not reaped.
  explicit operator bool() const { return fd_ && !reaped_; }
  pid_t pid() const { return pid_; }
  int fd() const { return fd_.get(); }  ///< readable once it has ended
  void kill() const;                    ///< SIGKILL

  /// Its end, if it has ended; it is gone then, but for the descriptor.
  std::optional<ExitStatus> reap();

  /// Kills it and waits until it is gone: only for one that does not hold up its own end.
  void end();

 private:
  std::optional<ExitStatus> reap(int options);

  pid_t pid_ = -1;
  UniqueFd fd_;
  bool reaped_ = false;
};

/// As fork(2): an empty Process in the child. `flags` are clone3(2)'s, `cgroup` a directory descriptor or -1. Throws
/// SystemError.
Process fork_process(std::uint64_t flags, int cgroup);

}  // namespace pbotvm::guest

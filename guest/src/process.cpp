// SPDX-License-Identifier: MIT
#include "process.h"

#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "system.h"

namespace pbotvm::guest {

void Process::kill() const {
  if (*this) syscall(SYS_pidfd_send_signal, fd_.get(), SIGKILL, nullptr, 0);
}

std::optional<ExitStatus> Process::reap() {
  return reap(WEXITED | WNOHANG);
}

void Process::end() {
  if (!*this) return;
  kill();
  reap(WEXITED);
}

std::optional<ExitStatus> Process::reap(int options) {
  siginfo_t info{};
  ExitStatus status;
  // The system call itself, not the library's function: that one does not hand over the resource usage.
  if (syscall(SYS_waitid, P_PIDFD, fd_.get(), &info, options, &status.usage) < 0) {
    if (errno != ECHILD) throw SystemError("waitid");
  } else if (info.si_pid == 0) {
    return std::nullopt;
  }
  (info.si_code == CLD_EXITED ? status.exit_code : status.signal) = info.si_status;
  reaped_ = true;
  return status;
}

Process fork_process(std::uint64_t flags, int cgroup) {
  int fd = -1;
  clone_args arguments{};
  arguments.flags = flags | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&fd);
  arguments.exit_signal = SIGCHLD;
  if (cgroup >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(cgroup);
  }
  const long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid < 0) throw SystemError("clone3");
  if (pid == 0) return {};
  return {static_cast<pid_t>(pid), UniqueFd(fd)};
}

}  // namespace pbotvm::guest

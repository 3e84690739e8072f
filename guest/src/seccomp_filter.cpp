// SPDX-License-Identifier: MIT
#include "seccomp_filter.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "system.h"

namespace pbotvm::guest {
namespace {

constexpr int without_effect = 255;  // no error has this number

// The exit status of a trial: 0, the error that came, or that none came where one had to.
int trial() {
  try {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return errno;
    enter_filter();
  } catch (const SystemError& error) {
    return error.error();
  }
  const bool refused = syscall(SYS_unshare, 0) < 0 && errno == EPERM;
  return refused ? 0 : without_effect;
}

}  // namespace

void enter_filter() {
  const sock_fprog program{job_filter_size, const_cast<sock_filter*>(job_filter)};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) throw SystemError("seccomp");
}

std::string try_filter() {
  const pid_t child = fork();
  if (child < 0) return "fork: " + error_text(errno);
  if (child == 0) _exit(trial());
  int status = 0;
  if (waitpid(child, &status, 0) < 0) return "waitpid: " + error_text(errno);
  if (!WIFEXITED(status)) return "a process under it ended";
  if (WEXITSTATUS(status) == without_effect) return "it denies nothing";
  return WEXITSTATUS(status) == 0 ? "" : "seccomp: " + error_text(WEXITSTATUS(status));
}

}  // namespace pbotvm::guest

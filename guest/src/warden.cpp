// SPDX-License-Identifier: MIT
#include "warden.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "system.h"

namespace pbotvm::guest {
namespace {

constexpr int words_fd = 3;

void mount_memory(const std::string& target, const std::string& options) {
  const std::string data = "size=50%," + options;
  if (mount("tmpfs", target.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, data.c_str()) < 0) {
    throw SystemError("mount a tmpfs on " + target);
  }
}

void make_path(const std::string& path) {
  for (auto slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    if (mkdir(path.substr(0, slash).c_str(), 0755) < 0 && errno != EEXIST && errno != EROFS) {
      throw SystemError("mkdir " + path);
    }
    if (slash == path.npos) return;
  }
}

// Everything is read-only but what is this job's alone, and that lives in memory which the job pays for.
void make_mounts(const std::string& work, uid_t uid, gid_t gid) {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) throw SystemError("make mounts private");
  mount_attr closed{};
  closed.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID;
  if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &closed, sizeof closed) < 0)
    throw SystemError("make mounts read-only");
  mount_memory("/tmp", "mode=1777");
  if (access("/var/tmp", F_OK) == 0 && mount("/tmp", "/var/tmp", nullptr, MS_BIND, nullptr) < 0) {
    throw SystemError("mount /tmp on /var/tmp");
  }
  if (access("/dev/shm", F_OK) == 0) mount_memory("/dev/shm", "mode=1777");
  make_path(work);
  mount_memory(work, "mode=755,uid=" + std::to_string(uid) + ",gid=" + std::to_string(gid));
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) < 0) throw SystemError("mount proc");
}

void say(const std::string& word) {
  if (write(words_fd, word.data(), word.size()) < 0) _exit(1);
}

void sweep() {
  kill(-1, SIGKILL);
  // The ends are ignored, so this waits until there is no child left; every process here is a child once its parent
  // died.
  while (waitpid(-1, nullptr, __WALL) >= 0 || errno == EINTR) {
  }
}

}  // namespace

void run_warden(int words, const std::string& work, uid_t uid, gid_t gid) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "pbotvm-warden");
  if (words != words_fd && dup2(words, words_fd) < 0) _exit(1);
  close_range(0, words_fd - 1, 0);
  close_range(words_fd + 1, ~0U, 0);
  signal(SIGCHLD, SIG_IGN);
  try {
    make_mounts(work, uid, gid);
  } catch (const SystemError& error) {
    say(warden_failed + std::string(error.what()));
    _exit(1);
  }
  say({warden_ready});
  char order = 0;
  while (read(words_fd, &order, 1) == 1) {
    if (order == sweep_order) {
      sweep();
      say({warden_swept});
    }
  }
  _exit(0);
}

}  // namespace pbotvm::guest

// SPDX-License-Identifier: MIT
#include "warden.h"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "pbotvm/unique_fd.h"
#include "system.h"

namespace pbotvm::guest {
namespace {

constexpr int words_fd = 3;
constexpr const char* shared_directories[] = {"/tmp", "/dev/shm"};

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

void mount_work(const std::string& work, uid_t uid, gid_t gid) {
  mount_memory(work, "mode=755,uid=" + std::to_string(uid) + ",gid=" + std::to_string(gid));
}

// Everything is read-only but what is this job's alone, and that lives in memory which the job pays for.
void make_mounts(const std::string& work) {
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
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) < 0) throw SystemError("mount proc");
}

bool nothing_in(const char* directory) {
  struct statfs now {};
  if (statfs(directory, &now) < 0) return errno == ENOENT;
  return now.f_bfree == now.f_blocks && now.f_ffree + 1 == now.f_files;  // one inode: the directory itself
}

bool no_system_v_objects() {
  shm_info memory{};
  seminfo semaphores{};
  msginfo messages{};
  return shmctl(0, SHM_INFO, reinterpret_cast<shmid_ds*>(&memory)) >= 0 && memory.used_ids == 0 &&
         semctl(0, 0, SEM_INFO, &semaphores) >= 0 && semaphores.semusz == 0 &&
         msgctl(0, MSG_INFO, reinterpret_cast<msqid_ds*>(&messages)) >= 0 && messages.msgpool == 0;
}

/// The namespace's own POSIX message queues, seen through a mount that no job can reach.
class MessageQueues {
 public:
  /// `place`: a directory to mount them on for a moment.
  explicit MessageQueues(const std::string& place) {
    if (mount("mqueue", place.c_str(), "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) < 0) {
      if (errno == ENODEV) return;  // a kernel without them
      throw SystemError("mount mqueue");
    }
    directory_.reset(open(place.c_str(), O_PATH | O_DIRECTORY));
    if (!directory_ || umount2(place.c_str(), MNT_DETACH) < 0) throw SystemError("unmount mqueue");
    empty_size_ = size();
  }
  bool empty() const { return !directory_ || size() == empty_size_; }

 private:
  // The directory is the longer the more queues there are in it.
  off_t size() const {
    struct stat info {};
    return fstat(directory_.get(), &info) == 0 ? info.st_size : -1;
  }
  UniqueFd directory_;
  off_t empty_size_ = 0;
};

// Whether a job has left nothing here but its own directory, and that is new now.
bool renew(const std::string& work, uid_t uid, gid_t gid, const MessageQueues& queues) {
  if (kill(-1, 0) == 0 || errno != ESRCH) return false;  // there are processes
  for (const char* directory : shared_directories) {
    if (!nothing_in(directory)) return false;
  }
  if (!no_system_v_objects() || !queues.empty()) return false;
  if (umount2(work.c_str(), 0) < 0) return false;
  mount_work(work, uid, gid);
  return true;
}

void say(const std::string& word) {
  if (write(words_fd, word.data(), word.size()) < 0) _exit(1);
}

char obey_renew(const std::string& work, uid_t uid, gid_t gid, const MessageQueues& queues) {
  try {
    return renew(work, uid, gid, queues) ? warden_renewed : warden_touched;
  } catch (const SystemError&) {
    return warden_touched;
  }
}

void sweep() {
  kill(-1, SIGKILL);
  // The ends are ignored, so this waits until there is no child left; every process here is a child once its parent
  // died.
  while (waitpid(-1, nullptr, __WALL) >= 0 || errno == EINTR) {
  }
}

void obey(const std::string& work, uid_t uid, gid_t gid, const MessageQueues& queues) {
  char order = 0;
  while (read(words_fd, &order, 1) == 1) {
    if (order == sweep_order) {
      sweep();
      say({warden_swept});
    } else if (order == renew_order) {
      say({obey_renew(work, uid, gid, queues)});
    }
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
    make_mounts(work);
    const MessageQueues queues(work);
    mount_work(work, uid, gid);
    say({warden_ready});
    obey(work, uid, gid, queues);
  } catch (const SystemError& error) {
    say(warden_failed + std::string(error.what()));
    _exit(1);
  }
  _exit(0);
}

}  // namespace pbotvm::guest

// SPDX-License-Identifier: MIT
#include "warden.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>

#include "job_files.h"
#include "job_network.h"
#include "system.h"

namespace pbotvm::guest {
namespace {

constexpr int words_fd = 3, view_fd = 4;
constexpr std::string_view host_name = "pbot-vm";  // of every job

void check(int result, const char* what) {
  if (result < 0) throw SystemError(what);
}

void set_host_name() {
  check(sethostname(host_name.data(), host_name.size()), "sethostname");
}

// Entering another view of the files leads to its root, whatever the root of this program is.
void copy_view() {
  struct stat before {
  }, after{};
  check(stat("/", &before), "stat /");
  check(setns(view_fd, CLONE_NEWNS), "setns to the mounts");
  check(unshare(CLONE_NEWNS), "copy the mounts");
  check(stat("/", &after), "stat /");
  if (before.st_dev != after.st_dev || before.st_ino != after.st_ino)
    throw SystemError("started below a chroot", EXDEV);
  close(view_fd);
}

bool no_system_v_objects() {
  shm_info memory{};
  seminfo semaphores{};
  msginfo messages{};
  return shmctl(0, SHM_INFO, reinterpret_cast<shmid_ds*>(&memory)) >= 0 && memory.used_ids == 0 &&
         semctl(0, 0, SEM_INFO, &semaphores) >= 0 && semaphores.semusz == 0 &&
         msgctl(0, MSG_INFO, reinterpret_cast<msqid_ds*>(&messages)) >= 0 && messages.msgpool == 0;
}

void say(const std::string& word) {
  if (write(words_fd, word.data(), word.size()) < 0) _exit(1);
}

class Warden {
 public:
  explicit Warden(const WardenPlan& plan) : files_(plan) {
    set_host_name();
    if (plan.network) network_.emplace();
    files_.mount_work();
  }

  void obey() {
    WardenOrder order{};
    while (recv(words_fd, &order, sizeof order, MSG_WAITALL) == sizeof order) {
      if (order.what == WardenOrder::What::sweep) {
        sweep();
        say({warden_swept});
      } else {
        say({renew(order.memory) ? warden_renewed : warden_touched});
      }
    }
  }

 private:
  static void sweep() {
    kill(-1, SIGKILL);
    // The ends are ignored, so this waits until there is no child left; every process here is a child once its parent
    // died.
    while (waitpid(-1, nullptr, __WALL) >= 0 || errno == EINTR) {
    }
  }

  // Whether a job has left nothing here but its own directory, and that is new now.
  bool renew(std::uint64_t memory) {
    if (kill(-1, 0) == 0 || errno != ESRCH) return false;  // there are processes
    try {
      if (!no_system_v_objects() || !files_.untouched() || (network_ && !network_->untouched())) return false;
      set_host_name();
      return files_.renew(memory);
    } catch (const SystemError&) {
      return false;
    }
  }

  JobFiles files_;
  std::optional<JobNetwork> network_;
};

}  // namespace

void run_warden(int words, const WardenPlan& plan) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "pbotvm-warden");
  signal(SIGCHLD, SIG_IGN);
  try {
    // Each first goes to a number that neither has.
    const int view = fcntl(plan.view, F_DUPFD, view_fd + 1);
    check(view, "dup");
    check(dup2(words, words_fd), "dup2");
    words = words_fd;
    check(dup2(view, view_fd), "dup2");
    close_range(0, words_fd - 1, 0);
    close_range(view_fd + 1, ~0U, 0);
    copy_view();
    Warden warden(plan);
    say({warden_ready});
    warden.obey();
  } catch (const SystemError& error) {
    const std::string word = warden_failed + std::string(error.what());
    [[maybe_unused]] const auto written = write(words, word.data(), word.size());
    _exit(1);
  }
  _exit(0);
}

}  // namespace pbotvm::guest

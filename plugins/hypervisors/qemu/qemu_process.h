// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "pbotvm/deadline.h"
#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::qemu {

inline constexpr int first_inherited = 3;  ///< the number of the first inherited descriptor in the child

/// A process: a child, or one that an earlier host left. It does not outlive this object, whose end kills it unless it
/// was let go of; nor, where nothing else is said, the thread that started it.
class QemuProcess {
 public:
  /// Runs argv[0] (a path) with a small environment of its own, standard input empty, standard output and error
  /// appended to `log`, in a session of its own. `inherited` become its descriptors 3, 4, 5 ... in this order; it gets
  /// no others. Throws Error{unavailable} when it cannot be run.
  QemuProcess(const std::vector<std::string>& argv, const std::vector<int>& inherited, const std::string& log);
  /// The same with an open file in the place of the log's path: a borrow that need not last.
  QemuProcess(const std::vector<std::string>& argv, const std::vector<int>& inherited, int log);
  /// The same for one that may outlive the thread that starts it. It is told of by `announce` before it runs its
  /// program, and runs it only when that comes back: a host that is killed in between leaves nothing behind that nobody
  /// knows of.
  QemuProcess(const std::vector<std::string>& argv, const std::vector<int>& inherited, const std::string& log,
              const std::function<void(pid_t)>& announce);
  /// One that is no child of this process: how it ends cannot be known.
  QemuProcess(pid_t pid, UniqueFd pidfd);
  ~QemuProcess();
  QemuProcess(const QemuProcess&) = delete;
  QemuProcess& operator=(const QemuProcess&) = delete;

  pid_t pid() const { return pid_; }
  /// Readable once the process has ended; see pidfd_open(2).
  int pidfd() const { return pidfd_.get(); }

  /// Never blocks.
  bool alive() noexcept;

  /// Waits for its end. False when the deadline came first.
  bool wait(const Deadline& deadline) noexcept;

  /// A no-op once it has ended.
  void signal(int number) noexcept;

  /// Whether it ended with exit status 0; valid once it has ended.
  bool succeeded() const;

  /// "exit status 1", "signal 9 (Killed)"; valid once it has ended.
  std::string ending() const;

  /// It runs on when this object is gone.
  void let_go() noexcept { let_go_ = true; }

 private:
  void run(const std::vector<std::string>& argv, const std::vector<int>& inherited, int log,
           const std::function<void(pid_t)>& announce);
  void reap() noexcept;

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  bool child_ = true;
  bool let_go_ = false;
  bool ended_ = false;  // and was waited for, if a child
  int code_ = 0;        // of siginfo_t
  int status_ = 0;      // of siginfo_t
};

/// The last `count` lines of a text file, joined by " | "; empty when there is nothing to read. Reads a few KiB at
/// most.
std::string last_lines(const std::string& path, std::size_t count);

}  // namespace pbotvm::qemu

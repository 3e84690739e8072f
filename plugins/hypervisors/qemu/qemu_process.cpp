// SPDX-License-Identifier: MIT
#include "qemu_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <sstream>
#include <utility>

namespace pbotvm::qemu {
namespace {

constexpr std::size_t log_tail = 8 * 1024;  // bytes of a log that are looked at
constexpr auto kill_grace = std::chrono::seconds(2);
constexpr mode_t child_umask = 027;

/// Everything that the child needs, made before the fork: between fork and exec only async-signal-safe calls are
/// allowed.
struct Child {
  char* const* argv;
  char* const* environment;
  int* inherited;  // room for one more than `count`: the pipe that reports a failure
  int count;
  int log;
  int permission;  // to run the program comes as a byte from this pipe; -1: none is needed, and it ends with the host
  pid_t parent;
};

/// Moves every descriptor that is kept out of the way first, so that no dup2 hits one that is still to be moved.
bool place_descriptors(const Child& child) {
  const int above = first_inherited + child.count + 1;
  for (int i = 0; i <= child.count; ++i)
    if ((child.inherited[i] = ::fcntl(child.inherited[i], F_DUPFD_CLOEXEC, above)) < 0) return false;
  const int log = ::fcntl(child.log, F_DUPFD_CLOEXEC, above);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (log < 0 || null < 0) return false;
  if (::dup2(null, 0) < 0 || ::dup2(log, 1) < 0 || ::dup2(log, 2) < 0) return false;
  for (int i = 0; i < child.count; ++i)
    if (::dup2(child.inherited[i], first_inherited + i) < 0) return false;
  return ::dup3(child.inherited[child.count], first_inherited + child.count, O_CLOEXEC) >= 0 &&
         ::close_range(static_cast<unsigned>(above), ~0U, 0) == 0;
}

/// The host blocks and ignores signals for itself; a child that inherited that could not be ended.
void reset_signals() {
  for (const int number : {SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGCHLD, SIGUSR1, SIGUSR2}) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// A host that ends meanwhile takes the child along.
void await_permission(int pipe) {
  char byte;
  ssize_t got;
  while ((got = ::read(pipe, &byte, 1)) < 0 && errno == EINTR) {
  }
  if (got != 1) ::_exit(1);
  ::prctl(PR_SET_PDEATHSIG, 0);
}

[[noreturn]] void run_child(const Child& child) {
  int report = child.inherited[child.count];
  ::setsid();
  ::umask(child_umask);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != child.parent) ::_exit(1);  // the host ended before it could be watched
  if (child.permission >= 0) await_permission(child.permission);
  reset_signals();
  if (place_descriptors(child)) {
    report = first_inherited + child.count;
    ::execve(child.argv[0], child.argv, child.environment);
  }
  const int error = errno;
  [[maybe_unused]] const ssize_t told = ::write(report, &error, sizeof error);
  ::_exit(127);
}

// The descriptor is close-on-exec by itself, see pidfd_open(2). Debian 12's header for it is not fit
// for C++.
int open_pidfd(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

std::pair<UniqueFd, UniqueFd> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw Error(ErrorCode::internal, errno_text("make a pipe", errno));
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

UniqueFd open_log(const std::string& path) {
  UniqueFd log(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!log) throw Error(ErrorCode::unavailable, errno_text("open " + path, errno));
  return log;
}

void permit(const std::function<void(pid_t)>& announce, pid_t pid, const UniqueFd& pipe) {
  announce(pid);
  if (::write(pipe.get(), "", 1) != 1) throw Error(ErrorCode::internal, errno_text("write to a pipe", errno));
}

/// What went wrong, 0 when the program runs: the pipe then ends without a word.
int await_exec(const UniqueFd& report) {
  int error = 0;
  ssize_t got;
  while ((got = ::read(report.get(), &error, sizeof error)) < 0 && errno == EINTR) {
  }
  return got > 0 ? error : 0;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> made;
  for (std::string& text : texts) made.push_back(text.data());
  made.push_back(nullptr);
  return made;
}

}  // namespace

QemuProcess::QemuProcess(const std::vector<std::string>& argv, const std::vector<int>& inherited,
                         const std::string& log)
    : QemuProcess(argv, inherited, open_log(log).get()) {}

QemuProcess::QemuProcess(const std::vector<std::string>& argv, const std::vector<int>& inherited, int log) {
  run(argv, inherited, log, nullptr);
}

QemuProcess::QemuProcess(const std::vector<std::string>& argv, const std::vector<int>& inherited,
                         const std::string& log, const std::function<void(pid_t)>& announce) {
  run(argv, inherited, open_log(log).get(), announce);
}

QemuProcess::QemuProcess(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)), child_(false) {}

void QemuProcess::run(const std::vector<std::string>& argv, const std::vector<int>& inherited, int log,
                      const std::function<void(pid_t)>& announce) {
  auto [report_reader, report_writer] = make_pipe();
  auto [permission_reader, permission_writer] = make_pipe();
  std::vector<std::string> arguments = argv;
  std::vector<std::string> environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "HOME=/"};
  const std::vector<char*> argument_pointers = pointers(arguments);
  const std::vector<char*> environment_pointers = pointers(environment);
  std::vector<int> kept = inherited;
  kept.push_back(report_writer.get());
  const Child child{argument_pointers.data(),
                    environment_pointers.data(),
                    kept.data(),
                    static_cast<int>(inherited.size()),
                    log,
                    announce ? permission_reader.get() : -1,
                    ::getpid()};
  pid_ = ::fork();
  if (pid_ == 0) run_child(child);
  if (pid_ < 0) throw Error(ErrorCode::unavailable, errno_text("fork for " + argv[0], errno));
  report_writer.reset();
  try {
    pidfd_.reset(open_pidfd(pid_));
    if (!pidfd_) throw Error(ErrorCode::unavailable, errno_text("pidfd_open", errno));
    if (announce) permit(announce, pid_, permission_writer);
    const int error = await_exec(report_reader);
    if (error != 0) throw Error(ErrorCode::unavailable, errno_text("run " + argv[0], error));
  } catch (...) {
    ::kill(pid_, SIGKILL);
    reap();
    throw;
  }
}

QemuProcess::~QemuProcess() {
  if (let_go_ || !alive()) return;
  signal(SIGKILL);
  wait(Deadline::in(kill_grace));
}

bool QemuProcess::alive() noexcept {
  if (ended_) return false;
  pollfd ended{pidfd_.get(), POLLIN, 0};
  if (::poll(&ended, 1, 0) != 1) return true;
  if (child_) reap();
  ended_ = true;
  return false;
}

bool QemuProcess::wait(const Deadline& deadline) noexcept {
  while (alive()) {
    pollfd ended{pidfd_.get(), POLLIN, 0};
    if (::poll(&ended, 1, deadline.poll_timeout()) == 0) return !alive();
  }
  return true;
}

void QemuProcess::signal(int number) noexcept {
  if (!ended_) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

void QemuProcess::reap() noexcept {
  siginfo_t information{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &information, WEXITED) != 0 && errno == EINTR) {
  }
  code_ = information.si_code;
  status_ = information.si_status;
}

bool QemuProcess::succeeded() const {
  return child_ && code_ == CLD_EXITED && status_ == 0;
}

std::string QemuProcess::ending() const {
  if (!child_) return "a status that only the host that started it was told";
  if (code_ == CLD_EXITED) return "exit status " + std::to_string(status_);
  return "signal " + std::to_string(status_) + " (" + ::strsignal(status_) + ")";
}

std::string last_lines(const std::string& path, std::size_t count) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return {};
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  std::string tail(log_tail, '\0');
  const ssize_t got =
      ::pread(file.get(), tail.data(), tail.size(), std::max<off_t>(0, size - static_cast<off_t>(log_tail)));
  tail.resize(got > 0 ? static_cast<std::size_t>(got) : 0);

  std::vector<std::string> lines;
  std::istringstream stream(tail);
  for (std::string line; std::getline(stream, line);)
    if (!line.empty()) lines.push_back(line);
  std::string joined;
  for (std::size_t i = lines.size() - std::min(count, lines.size()); i < lines.size(); ++i)
    joined += (joined.empty() ? "" : " | ") + lines[i];
  return joined;
}

}  // namespace pbotvm::qemu

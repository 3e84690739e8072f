// SPDX-License-Identifier: MIT
#include "cli/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::cli {

namespace {

constexpr std::size_t max_output = 4 * 1024 * 1024;  // bytes of each stream

struct Pipe {
  UniqueFd read_end, write_end;
};

Pipe make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) throw Error(ErrorCode::internal, errno_text("pipe2", errno));
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

class FileActions {
 public:
  FileActions() { ::posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

// The process' environment, but its messages are in English: they are looked through.
std::vector<char*> c_locale_environment() {
  static char language[] = "LC_ALL=C";
  std::vector<char*> variables;
  for (char** at = environ; *at != nullptr; ++at) {
    if (std::strncmp(*at, "LC_ALL=", 7) != 0 && std::strncmp(*at, "LANGUAGE=", 9) != 0) variables.push_back(*at);
  }
  variables.push_back(language);
  variables.push_back(nullptr);
  return variables;
}

// 0, or an errno value.
int spawn(const std::vector<std::string>& arguments, int out, int err, pid_t& child) {
  FileActions actions;
  ::posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(actions.get(), out, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(actions.get(), err, STDERR_FILENO);
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  auto variables = c_locale_environment();
  return ::posix_spawnp(&child, argv[0], actions.get(), nullptr, argv.data(), variables.data());
}

// Whether the stream goes on.
bool read_some(int fd, std::string& to) {
  std::array<char, 16384> bytes;
  const ssize_t size = ::read(fd, bytes.data(), bytes.size());
  if (size < 0) return errno == EINTR || errno == EAGAIN;
  if (to.size() < max_output) to.append(bytes.data(), static_cast<std::size_t>(size));
  return size > 0;
}

// Until both streams are at their end; false when the deadline came first.
bool read_streams(Pipe& out, Pipe& err, ProgramEnd& end, const Deadline& deadline) {
  while (out.read_end || err.read_end) {
    pollfd fds[2] = {{out.read_end.get(), POLLIN, 0}, {err.read_end.get(), POLLIN, 0}};
    if (::poll(fds, 2, deadline.poll_timeout()) < 0 && errno != EINTR) return false;
    if (fds[0].revents != 0 && !read_some(fds[0].fd, end.out)) out.read_end.reset();
    if (fds[1].revents != 0 && !read_some(fds[1].fd, end.err)) err.read_end.reset();
    if (deadline.expired()) return false;
  }
  return true;
}

// Its exit status, when it ends before the deadline; it is gone in any case.
void reap(pid_t child, bool in_time, ProgramEnd& end) {
  if (!in_time) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  end.timed_out = !in_time;
  if (in_time) end.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// ---- With the terminal

volatile sig_atomic_t told_to_end = 0;
volatile pid_t on_terminal = 0;

constexpr std::array<int, 3> end_signals{SIGINT, SIGTERM, SIGHUP};
std::array<struct ::sigaction, end_signals.size()> before_held{};
int held = 0;

void pass_on(int number, siginfo_t* info, void*) {
  const int error = errno;
  told_to_end = 1;
  const bool of_terminal = number == SIGINT && info->si_code == SI_KERNEL;
  if (!of_terminal && on_terminal > 0) ::kill(on_terminal, number);
  errno = error;
}

// No signal comes between the fork and the moment when it can be passed on.
class SignalsWait {
 public:
  SignalsWait() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : end_signals) ::sigaddset(&set, number);
    ::pthread_sigmask(SIG_BLOCK, &set, &before_);
  }
  ~SignalsWait() { end(); }
  SignalsWait(const SignalsWait&) = delete;
  SignalsWait& operator=(const SignalsWait&) = delete;
  void end() const { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

// In the child: becomes the program, or says through the pipe why not.
[[noreturn]] void become_on_terminal(char* const* argv, pid_t parent, int report, const SignalsWait& wait) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  for (std::size_t i = 0; i < end_signals.size(); ++i) ::sigaction(end_signals[i], &before_held[i], nullptr);
  wait.end();
  if (::getppid() == parent) ::execvp(argv[0], argv);
  const int error = errno;
  [[maybe_unused]] const auto written = ::write(report, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

ProgramEnd run_program(const std::vector<std::string>& arguments, const Deadline& deadline) {
  ProgramEnd end;
  Pipe out = make_pipe(), err = make_pipe();
  pid_t child = -1;
  const int error = spawn(arguments, out.write_end.get(), err.write_end.get(), child);
  if (error == ENOENT) {
    end.found = false;
    return end;
  }
  if (error != 0) throw Error(ErrorCode::internal, errno_text("start " + arguments.front(), error));
  out.write_end.reset();
  err.write_end.reset();
  reap(child, read_streams(out, err, end, deadline), end);
  return end;
}

TerminalEnd run_on_terminal(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  Pipe report = make_pipe();
  const EndHeld signals;
  pid_t child = -1;
  {
    const SignalsWait wait;
    if (EndHeld::told()) return {true, -1, true};
    const pid_t parent = ::getpid();
    child = ::fork();
    if (child < 0) throw Error(ErrorCode::internal, errno_text("fork", errno));
    if (child == 0) become_on_terminal(argv.data(), parent, report.write_end.get(), wait);
    on_terminal = child;
  }
  report.write_end.reset();
  int error = 0, status = 0;
  while (::read(report.read_end.get(), &error, sizeof error) < 0 && errno == EINTR) {
  }
  // Passed on until it has ended, not to whoever has its number after it was reaped.
  siginfo_t ended;
  while (::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  on_terminal = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  TerminalEnd end;
  end.found = error != ENOENT;
  if (error != 0 && error != ENOENT) throw Error(ErrorCode::internal, errno_text("start " + arguments.front(), error));
  end.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  end.interrupted = EndHeld::told();
  return end;
}

EndHeld::EndHeld() {
  if (held++ > 0) return;
  told_to_end = 0;
  struct ::sigaction action {};
  action.sa_sigaction = pass_on;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  for (std::size_t i = 0; i < end_signals.size(); ++i) {
    ::sigaction(end_signals[i], nullptr, &before_held[i]);
    const bool ignored = before_held[i].sa_handler == SIG_IGN;  // as nohup(1) has it
    if (!ignored) ::sigaction(end_signals[i], &action, nullptr);
  }
}

EndHeld::~EndHeld() {
  if (--held > 0) return;
  for (std::size_t i = 0; i < end_signals.size(); ++i) ::sigaction(end_signals[i], &before_held[i], nullptr);
}

bool EndHeld::told() {
  return told_to_end != 0;
}

void EndHeld::check() {
  if (told()) throw Error(ErrorCode::unavailable, "was told to end before it was done");
}

}  // namespace pbotvm::cli

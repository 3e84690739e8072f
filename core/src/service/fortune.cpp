// SPDX-License-Identifier: MIT
#include "service/fortune.h"

#include <Poco/Logger.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "pbotvm/deadline.h"
#include "pbotvm/unique_fd.h"
#include "service/sayings.h"
#include "service/utf8.h"

namespace pbotvm::service {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t ready_lines = 32, low_water = 8;
constexpr std::size_t max_output = 4096;  // bytes of one run
constexpr auto glance = 50ms;             // how long the end of a run, and of this host, may go unseen

// Starts it in a process group of its own and without this host's signal mask. -1: it cannot be started.
pid_t start(const std::string& program, int output) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  char option[] = "-s", locale[] = "LC_ALL=C.UTF-8", path[] = "PATH=/usr/bin:/bin";
  char* const argv[] = {const_cast<char*>(program.c_str()), option, nullptr};
  char* const environment[] = {locale, path, nullptr};
  pid_t child = -1;
  const int error = ::posix_spawn(&child, program.c_str(), &actions, &attributes, argv, environment);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? child : -1;
}

// Reads up to the end of what it prints. False: that does not come in time, or there is too much of it.
bool read_all(int output, std::string& text, const Deadline& deadline, const std::stop_token& stop) {
  while (text.size() <= max_output && !deadline.expired() && !stop.stop_requested()) {
    pollfd ready{output, POLLIN, 0};
    if (::poll(&ready, 1, earlier(deadline, Deadline::in(glance)).poll_timeout()) <= 0) continue;
    std::array<char, 1024> bytes;
    const ssize_t got = ::read(output, bytes.data(), bytes.size());
    if (got > 0) text.append(bytes.data(), static_cast<std::size_t>(got));
    if (got == 0) return true;
    if (got < 0 && errno != EINTR) return false;
  }
  return false;
}

// Whether it ends in time. It stays a zombie, so that its number and its group's remain its own.
bool await_end(pid_t child, const Deadline& deadline, const std::stop_token& stop) {
  for (auto pause = 1ms; !stop.stop_requested(); pause = std::min(pause * 2, glance)) {
    siginfo_t ended{};
    if (::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == child) {
      return true;
    }
    if (deadline.expired()) return false;
    std::this_thread::sleep_for(std::min(pause, deadline.remaining()));
  }
  return false;
}

// What it printed, at most max_output bytes; nothing where it failed or took too long.
std::optional<std::string> output_of(const std::string& program, std::chrono::milliseconds run_time,
                                     const std::stop_token& stop) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return std::nullopt;
  const UniqueFd read_end(fds[0]);
  UniqueFd write_end(fds[1]);
  const auto deadline = Deadline::in(run_time);
  const pid_t child = start(program, write_end.get());
  if (child < 0) return std::nullopt;
  write_end.reset();

  std::string text;
  const bool ended = read_all(read_end.get(), text, deadline, stop) && await_end(child, deadline, stop);
  ::kill(-child, SIGKILL);  // what it left behind, too
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!ended || !WIFEXITED(status) || WEXITSTATUS(status) != 0) return std::nullopt;
  return text;
}

// Its lines joined by single blanks; empty where it cannot be a line of text.
std::string as_line(const std::string& text) {
  if (find_invalid_utf8(text) != std::string::npos) return {};
  std::string line;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!blank && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)) return {};
    if (!blank) line += c;
    if (blank && !line.empty() && line.back() != ' ') line += ' ';
  }
  if (!line.empty() && line.back() == ' ') line.pop_back();
  return line.size() <= Fortune::max_line ? line : std::string();
}

}  // namespace

std::filesystem::path find_fortune() {
  const char* variable = std::getenv("PATH");
  std::string rest = (variable == nullptr ? std::string() : std::string(variable) + ":") + "/usr/games:/usr/bin";
  while (!rest.empty()) {
    const auto colon = std::min(rest.find(':'), rest.size());
    const std::filesystem::path path = std::filesystem::path(rest.substr(0, colon)) / "fortune";
    rest.erase(0, colon + 1);
    if (path.is_absolute() && ::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

Fortune::Fortune(std::filesystem::path program, std::chrono::milliseconds run_time, std::chrono::milliseconds rest)
    : program_(std::move(program)), run_time_(run_time), rest_(rest) {}

Fortune::~Fortune() = default;  // the thread is told to stop, which ends the program, and waited for

std::string Fortune::line() {
  const std::lock_guard lock(mutex_);
  refill_if_low();
  if (!ready_.empty()) {
    std::string line = std::move(ready_.front());
    ready_.pop_front();
    return line;
  }
  std::uniform_int_distribution<std::size_t> any(0, sayings().size() - 1);
  return std::string(sayings()[any(random_)]);
}

// Under the mutex.
void Fortune::refill_if_low() {
  if (program_.empty() || refilling_ || ready_.size() >= low_water || Clock::now() < next_try_) return;
  try {
    thread_ = std::jthread([this](const std::stop_token& stop) { refill(stop); });
    refilling_ = true;
  } catch (const std::system_error&) {
    next_try_ = Clock::now() + rest_;  // no thread is to be had now
  }
}

void Fortune::refill(const std::stop_token& stop) {
  bool works = true;
  for (std::size_t run = 0; run < ready_lines && works && !stop.stop_requested(); ++run) {
    const auto text = output_of(program_.string(), run_time_, stop);
    works = text.has_value();
    std::string line = text ? as_line(*text) : std::string();
    if (line.empty()) continue;
    const std::lock_guard lock(mutex_);
    ready_.push_back(std::move(line));
  }
  const std::lock_guard lock(mutex_);
  refilling_ = false;
  if ((works && !ready_.empty()) || stop.stop_requested()) return;
  next_try_ = Clock::now() + rest_;
  Poco::Logger::get("service").warning("%s -s did not print a short line; this host's own are used", program_.string());
}

}  // namespace pbotvm::service

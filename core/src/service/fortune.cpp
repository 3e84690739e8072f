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
constexpr auto run_time = 1s;             // of one run
constexpr auto rest_after_failure = 60s;

// What it printed, at most max_output bytes; nothing where it failed or took too long.
std::optional<std::string> output_of(const std::string& program) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return std::nullopt;
  const UniqueFd read_end(fds[0]);
  UniqueFd write_end(fds[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  char option[] = "-s", locale[] = "LC_ALL=C.UTF-8", path[] = "PATH=/usr/bin:/bin";
  char* const argv[] = {const_cast<char*>(program.c_str()), option, nullptr};
  char* const environment[] = {locale, path, nullptr};
  pid_t child = -1;
  const int error = ::posix_spawn(&child, program.c_str(), &actions, nullptr, argv, environment);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return std::nullopt;
  write_end.reset();

  std::string text;
  bool ended = false;
  for (const auto deadline = Deadline::in(run_time); !ended && text.size() <= max_output && !deadline.expired();) {
    pollfd ready{read_end.get(), POLLIN, 0};
    if (::poll(&ready, 1, deadline.poll_timeout()) <= 0) continue;
    std::array<char, 1024> bytes;
    const ssize_t got = ::read(read_end.get(), bytes.data(), bytes.size());
    if (got > 0) text.append(bytes.data(), static_cast<std::size_t>(got));
    ended = got == 0 || (got < 0 && errno != EINTR);
  }
  if (!ended) ::kill(child, SIGKILL);
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

Fortune::Fortune(std::filesystem::path program) : program_(std::move(program)) {}

Fortune::~Fortune() = default;  // the thread is told to stop, and waited for: at most one run of the program

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
    next_try_ = Clock::now() + rest_after_failure;  // no thread is to be had now
  }
}

void Fortune::refill(const std::stop_token& stop) {
  bool works = true;
  for (std::size_t run = 0; run < ready_lines && works && !stop.stop_requested(); ++run) {
    const auto text = output_of(program_.string());
    works = text.has_value();
    std::string line = text ? as_line(*text) : std::string();
    if (line.empty()) continue;
    const std::lock_guard lock(mutex_);
    ready_.push_back(std::move(line));
  }
  const std::lock_guard lock(mutex_);
  refilling_ = false;
  if (works && !ready_.empty()) return;
  next_try_ = Clock::now() + rest_after_failure;
  Poco::Logger::get("service").warning("%s -s did not print a short line; this host's own are used", program_.string());
}

}  // namespace pbotvm::service

// SPDX-License-Identifier: MIT
#include "heartbeat.h"

#include <sys/epoll.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pbotvm::guest {
namespace {
constexpr auto interval = std::chrono::seconds(5);
constexpr std::size_t max_unsent = 4096;  // bytes that wait for a line that takes nothing
}  // namespace

HeartbeatLine::HeartbeatLine(EventLoop& loop, const Jobs& jobs, UniqueFd fd, std::function<void()> on_closed)
    : loop_(loop),
      jobs_(jobs),
      fd_(std::move(fd)),
      tty_(isatty(fd_.get()) == 1),
      on_closed_(std::move(on_closed)),
      timer_(loop, [this] { beat(); }) {
  try {
    watch_ = std::make_unique<Watch>(loop, fd_.get(), EPOLLIN, [this](std::uint32_t events) { on_events(events); });
  } catch (const SystemError& error) {
    if (error.error() != EPERM) throw;  // a plain file cannot be waited for
  }
  beat();
}

void HeartbeatLine::beat() {
  timer_.set(interval);
  if (unsent_.empty()) say("\n");
}

void HeartbeatLine::on_events(std::uint32_t events) {
  if (events & EPOLLOUT) flush();
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_readable();
}

void HeartbeatLine::on_readable() {
  char bytes[512];
  const auto size = read(fd_.get(), bytes, sizeof bytes);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    watch_.reset();
    if (on_closed_) on_closed_();
    return;
  }
  // However many were asked at once, one answer serves them.
  if (std::memchr(bytes, '\n', static_cast<std::size_t>(size))) say(figures());
}

// A line that takes nothing loses what is said: nobody is there to hear it. But what has begun is finished.
void HeartbeatLine::say(const std::string& text) {
  if (unsent_.size() + text.size() > max_unsent) return;
  unsent_ += text;
  flush();
}

void HeartbeatLine::flush() {
  while (!unsent_.empty()) {
    const auto size = write(fd_.get(), unsent_.data(), unsent_.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno != EAGAIN) unsent_.clear();
    if (size <= 0) break;
    unsent_.erase(0, static_cast<std::size_t>(size));
  }
  if (watch_) watch_->change(EPOLLIN | (unsent_.empty() ? 0u : EPOLLOUT));
}

std::string HeartbeatLine::figures() const {
  struct sysinfo info {};
  sysinfo(&info);
  const auto load = [&](int index) {
    const unsigned long hundredths = info.loads[index] * 100 >> SI_LOAD_SHIFT;
    const std::string rest = std::to_string(hundredths % 100);
    return " " + std::to_string(hundredths / 100) + "." + (rest.size() < 2 ? "0" : "") + rest;
  };
  const std::string memory = read_file("/proc/meminfo");
  std::string text;
  text += "uptime " + std::to_string(info.uptime) + "\n";
  text += "load" + load(0) + load(1) + load(2) + "\n";
  text += "memory_total_kb " + std::to_string(number_behind(memory, "MemTotal", 0)) + "\n";
  text += "memory_available_kb " + std::to_string(number_behind(memory, "MemAvailable", 0)) + "\n";
  text += "jobs_served " + std::to_string(jobs_.served()) + "\n";
  text += "slots_used " + std::to_string(jobs_.running()) + "\n";
  text += "at_rest " + std::to_string(jobs_.at_rest()) + "\n";
  text += "slots " + std::to_string(jobs_.slots()) + "\n";
  text += ":END\n";
  if (!tty_) return text;
  std::string lines;
  for (const char c : text) lines += c == '\n' ? "\r\n" : std::string(1, c);
  return lines;
}

}  // namespace pbotvm::guest

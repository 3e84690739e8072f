// SPDX-License-Identifier: MIT
#include "machine/heartbeat_monitor.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "plugin/guard.h"

namespace pbotvm::machine {

using namespace std::chrono_literals;

namespace {

constexpr int reads_at_once = 16;
constexpr std::size_t max_figures = 16 * 1024;  // bytes of one answer; a guest's word is hostile

SignsOfLife& signs_of(Transport& line) {
  auto* signs = static_cast<SignsOfLife*>(line.extension(SignsOfLife::identifier));
  if (signs == nullptr) {
    throw Error(ErrorCode::plugin, "heartbeat over " + line.description() + ": the plug-in carries no signs of life",
                "choose another one in machines.NAME.heartbeat, such as `heartbeat`");
  }
  return *signs;
}

}  // namespace

template <typename Function>
decltype(auto) HeartbeatMonitor::call(const char* method, Function&& function) {
  return plugin::guarded({"transport", plugin_, method}, std::forward<Function>(function));
}

HeartbeatMonitor::HeartbeatMonitor(Transport& line, std::string plugin)
    : line_(line),
      plugin_(std::move(plugin)),
      signs_(call("extension", [&]() -> SignsOfLife& { return signs_of(line); })),
      probe_(call("probe", [&] { return signs_.probe(); })) {}

void HeartbeatMonitor::connect_if_due(Clock::time_point now) {
  if (fd_ || now < next_connect_) return;
  try {
    fd_ = call("connect", [&] { return line_.connect(Deadline::in(500ms)); });
    call("reset", [&] { signs_.reset(); });
    next_probe_ = now;
  } catch (const Error&) {
    // Not said aloud: a machine whose line cannot be reached is overdue soon, and that is.
    next_connect_ = now + 1s;
  }
}

void HeartbeatMonitor::disconnect() {
  fd_.reset();
  next_connect_ = {};
  collecting_ = echo_due_ = false;
}

void HeartbeatMonitor::on_readable(Clock::time_point now) {
  char buffer[4096];
  for (int i = 0; i < reads_at_once && fd_; ++i) {
    const ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got <= 0) {
      disconnect();
      next_connect_ = now + 1s;
      return;
    }
    const std::string_view bytes(buffer, static_cast<std::size_t>(got));
    // A terminal gives our own newline back even when nobody reads it. One beat too few does no harm.
    if (call("feed", [&] { return signs_.feed(bytes); }) && !std::exchange(echo_due_, false)) {
      last_beat_ = now;
      baseline_ = now;
    }
    collect_figures(bytes);
  }
}

void HeartbeatMonitor::tick(Clock::time_point now) {
  connect_if_due(now);
  if (fd_ && !probe_.empty() && now >= next_probe_) {
    next_probe_ = now + beat_interval;
    send(probe_);
  }
}

void HeartbeatMonitor::restart(Clock::time_point now) {
  baseline_ = now;
  last_beat_.reset();
  collecting_ = false;
  call("reset", [&] { signs_.reset(); });
}

bool HeartbeatMonitor::overdue(Clock::time_point now) const {
  return now >= overdue_at();
}

HeartbeatMonitor::Clock::time_point HeartbeatMonitor::overdue_at() const {
  return baseline_ + missed_beats * beat_interval + 1s;  // a second's grace: the guest's clock and ours drift
}

HeartbeatMonitor::Clock::time_point HeartbeatMonitor::due() const {
  if (!fd_) return next_connect_;
  return probe_.empty() ? Clock::time_point::max() : next_probe_;
}

void HeartbeatMonitor::request_figures() {
  collecting_ = true;
  collected_.clear();
  figures_.reset();
  echo_due_ = probe_.empty();  // the signs of one that is probed are no mere newlines
  send("\n");
}

std::optional<std::string> HeartbeatMonitor::take_figures() {
  return std::exchange(figures_, std::nullopt);
}

void HeartbeatMonitor::collect_figures(std::string_view bytes) {
  if (!collecting_) return;
  collected_.append(bytes);
  const auto end = collected_.find(":END");
  if (end != std::string::npos) {
    const auto first = collected_.find_first_not_of("\r\n");
    figures_ = collected_.substr(first, end - first);
    std::erase(*figures_, '\r');  // of a terminal
    collecting_ = false;
  } else if (collected_.size() > max_figures) {
    collecting_ = false;
  }
}

void HeartbeatMonitor::send(std::string_view bytes) {
  // A line that takes nothing is a line without beats: overdue() tells.
  if (fd_) (void)!::send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace pbotvm::machine

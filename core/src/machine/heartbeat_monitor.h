// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "pbotvm/deadline.h"
#include "pbotvm/transport.h"

namespace pbotvm::machine {

inline constexpr std::chrono::seconds beat_interval{5};
inline constexpr int missed_beats = 3;

/// The heartbeat line of one machine: connects it, reads signs of life, asks for figures. The machine's thread only.
class HeartbeatMonitor {
 public:
  using Clock = Deadline::Clock;

  /// Borrows `line`, which the plug-in of that name made, and its extension. Throws Error{plugin} when it carries no
  /// signs of life. Every other method throws only where the plug-in fails.
  HeartbeatMonitor(Transport& line, std::string plugin);

  /// Connects when not connected; failures are remembered and tried again a second later. Does not block for long: the
  /// line is on this machine.
  void connect_if_due(Clock::time_point now);
  void disconnect();

  int fd() const { return fd_.get(); }

  /// Reads what came and writes the probe when due. Call when poll said so, and at due().
  void on_readable(Clock::time_point now);
  void tick(Clock::time_point now);

  /// Starts the count of missed beats anew: after a start, a revert, an answer of the guest.
  void restart(Clock::time_point now);

  /// Whether so many beats are missing that the guest must be taken for dead.
  bool overdue(Clock::time_point now) const;

  /// When tick() has something to do next: connect or probe.
  Clock::time_point due() const;

  /// From when on overdue() is true.
  Clock::time_point overdue_at() const;

  /// The last sign of life, if one was seen since the last restart().
  std::optional<Clock::time_point> last_beat() const { return last_beat_; }

  /// Asks the guest for figures; figures() has them when the guest's ":END" came.
  void request_figures();
  std::optional<std::string> take_figures();

 private:
  void send(std::string_view bytes);
  void collect_figures(std::string_view bytes);

  template <typename Function>
  decltype(auto) call(const char* method, Function&& function);

  Transport& line_;
  const std::string plugin_;
  SignsOfLife& signs_;
  std::string_view probe_;
  UniqueFd fd_;
  Clock::time_point baseline_{};
  Clock::time_point next_connect_{};
  Clock::time_point next_probe_{};
  std::optional<Clock::time_point> last_beat_;
  bool collecting_ = false;
  bool echo_due_ = false;  // of the newline that asked a guest for figures which beats on its own
  std::string collected_;
  std::optional<std::string> figures_;
};

}  // namespace pbotvm::machine

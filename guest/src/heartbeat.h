// SPDX-License-Identifier: MIT
#pragma once

#include <list>
#include <memory>
#include <string>

#include "event_loop.h"
#include "jobs.h"

namespace pbotvm::guest {

/// One line that gets a newline every 5 s, from the loop that serves jobs, so that it stops when that does. A newline
/// that is read from it is answered with figures and a line ":END", at once whatever the jobs do. On a tty its lines
/// end with CR LF, as those of a guest that leaves its tty cooked: PBot's host waits for just that.
class HeartbeatLine {
 public:
  /// `fd` is non-blocking; a plain file is only written. `on_closed`: it reads an end of file.
  HeartbeatLine(EventLoop& loop, const Jobs& jobs, UniqueFd fd, std::function<void()> on_closed);
  HeartbeatLine(const HeartbeatLine&) = delete;

 private:
  void beat();
  void on_events(std::uint32_t events);
  void on_readable();
  void say(const std::string& text);
  void flush();
  std::string figures() const;

  EventLoop& loop_;
  const Jobs& jobs_;
  UniqueFd fd_;
  const bool tty_;
  std::string unsent_;
  std::function<void()> on_closed_;
  Timer timer_;
  std::unique_ptr<Watch> watch_;
};

}  // namespace pbotvm::guest

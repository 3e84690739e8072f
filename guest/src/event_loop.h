// SPDX-License-Identifier: MIT
#pragma once

// The one loop that serves everything. One thread; nothing here blocks but the wait itself.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <unordered_map>
#include <vector>

#include "pbotvm/unique_fd.h"
#include "system.h"

namespace pbotvm::guest {

class EventLoop {
 public:
  EventLoop();
  EventLoop(const EventLoop&) = delete;

  /// Serves until the process is ended.
  [[noreturn]] void run();

  /// Runs `task` before the loop waits again: what several handlers of one round want done once.
  void at_end_of_round(std::function<void()> task) { end_of_round_.push_back(std::move(task)); }

  /// Runs `task` in a round in which there was nothing else to do.
  void when_idle(std::function<void()> task) { idle_.push_back(std::move(task)); }

 private:
  friend class Watch;
  friend class Timer;
  void run_round();
  void run_tasks();
  void run_timers();
  int timeout() const;

  UniqueFd epoll_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, class Watch*> watches_;  // by id: an event may come for a watch that is gone
  std::multimap<Clock::time_point, class Timer*> timers_;
  std::vector<std::function<void()>> end_of_round_;
  std::deque<std::function<void()>> idle_;
};

/// Calls `handler` with the EPOLL bits that a descriptor has. Ends when it is destroyed; the descriptor outlives it.
class Watch {
 public:
  using Handler = std::function<void(std::uint32_t events)>;
  Watch(EventLoop& loop, int fd, std::uint32_t events, Handler handler);
  Watch(const Watch&) = delete;
  ~Watch();

  void change(std::uint32_t events);

 private:
  friend class EventLoop;
  EventLoop& loop_;
  int fd_;
  std::uint32_t events_;
  std::uint64_t id_;
  Handler handler_;
};

/// Calls its handler once when its time has come. Ends when it is destroyed.
class Timer {
 public:
  Timer(EventLoop& loop, std::function<void()> handler) : loop_(loop), handler_(std::move(handler)) {}
  Timer(const Timer&) = delete;
  ~Timer() { cancel(); }

  void set(Clock::duration from_now);
  void cancel();
  bool active() const { return active_; }

 private:
  friend class EventLoop;
  EventLoop& loop_;
  std::function<void()> handler_;
  std::multimap<Clock::time_point, Timer*>::iterator place_;
  bool active_ = false;
};

}  // namespace pbotvm::guest

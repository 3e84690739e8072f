// SPDX-License-Identifier: MIT
#include "event_loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

namespace pbotvm::guest {

namespace {
constexpr int max_events = 32;
}

EventLoop::EventLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) throw SystemError("epoll_create1");
}

void EventLoop::run() {
  while (true) run_round();
}

void EventLoop::run_round() {
  run_tasks();
  epoll_event events[max_events];
  const int count = epoll_wait(epoll_.get(), events, max_events, timeout());
  if (count < 0 && errno != EINTR) throw SystemError("epoll_wait");
  for (int i = 0; i < count; ++i) {
    const auto found = watches_.find(events[i].data.u64);
    if (found == watches_.end()) continue;
    const auto handler = found->second->handler_;  // a copy: it may destroy its own watch
    handler(events[i].events);
  }
  run_timers();
  if (count == 0 && !idle_.empty() && end_of_round_.empty()) {
    const auto task = std::move(idle_.front());
    idle_.pop_front();
    task();
  }
}

void EventLoop::run_tasks() {
  while (!end_of_round_.empty()) {
    for (const auto& task : std::exchange(end_of_round_, {})) task();
  }
}

void EventLoop::run_timers() {
  if (timers_.empty()) return;
  const auto now = Clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    Timer* timer = timers_.begin()->second;
    const auto handler = timer->handler_;  // a copy: it may destroy its own timer
    timer->cancel();
    handler();
  }
}

int EventLoop::timeout() const {
  if (!idle_.empty()) return 0;
  if (timers_.empty()) return -1;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - Clock::now()).count();
  return static_cast<int>(std::clamp<long long>(wait, 0, 3'600'000));
}

Watch::Watch(EventLoop& loop, int fd, std::uint32_t events, Handler handler)
    : loop_(loop), fd_(fd), events_(events), id_(++loop.last_id_), handler_(std::move(handler)) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id_;
  if (epoll_ctl(loop_.epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0) throw SystemError("epoll_ctl");
  loop_.watches_[id_] = this;
}

Watch::~Watch() {
  loop_.watches_.erase(id_);
  epoll_ctl(loop_.epoll_.get(), EPOLL_CTL_DEL, fd_, nullptr);
}

void Watch::change(std::uint32_t events) {
  if (events == events_) return;
  events_ = events;
  epoll_event event{};
  event.events = events;
  event.data.u64 = id_;
  epoll_ctl(loop_.epoll_.get(), EPOLL_CTL_MOD, fd_, &event);
}

void Timer::set(Clock::duration from_now) {
  cancel();
  place_ = loop_.timers_.emplace(Clock::now() + from_now, this);
  active_ = true;
}

void Timer::cancel() {
  if (!active_) return;
  loop_.timers_.erase(place_);
  active_ = false;
}

}  // namespace pbotvm::guest

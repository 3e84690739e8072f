// SPDX-License-Identifier: MIT
#include "line.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace pbotvm::guest {
namespace {

constexpr std::size_t read_at_once = 32 * 1024;
constexpr std::size_t output_held = 16 * 1024;  // bytes of unsent output beyond which no more is taken
// Small pieces of output leave together, and mostly with the end of their step.
constexpr std::size_t gather_limit = 4 * 1024;
constexpr auto gather_time = std::chrono::milliseconds(4);
constexpr auto recheck_time = std::chrono::milliseconds(100);
constexpr auto idle_limit = std::chrono::seconds(2);

}  // namespace

Line::Line(EventLoop& loop, UniqueFd fd, LineKind kind, std::string name, Events events)
    : loop_(loop),
      fd_(std::move(fd)),
      kind_(kind),
      name_(std::move(name)),
      events_(std::move(events)),
      idle_(loop, [this] { reader_.reset(); }),
      gather_(loop, [this] { flush_later(); }),
      recheck_(loop, [this] { read_frames(); }) {
  watch();
}

void Line::watch() {
  // A virtio-serial port without a host is readable all the time: only changes are of interest there.
  const std::uint32_t events = kind_ == LineKind::virtio_serial ? EPOLLIN | EPOLLOUT | EPOLLET
                                                                : (paused_ ? 0u : EPOLLIN) | (blocked_ ? EPOLLOUT : 0u);
  if (watch_) {
    watch_->change(events);
  } else {
    watch_ = std::make_unique<Watch>(loop_, fd_.get(), events, [this](std::uint32_t found) { on_events(found); });
  }
}

void Line::on_events(std::uint32_t events) {
  if (blocked_ && (events & EPOLLOUT)) {
    blocked_ = false;
    flush();
  }
  if (!paused_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) read_frames();
}

void Line::read_frames() {
  const auto alive = alive_;
  bool any = false;
  Reading reading;
  while ((reading = read_some()) == Reading::some) {
    any = true;
    while (auto frame = reader_.next()) {
      events_.on_frame(std::move(*frame));
      if (!*alive || closed_) return;
      if (paused_) break;
    }
    if (paused_) break;
  }
  if (reading == Reading::end) {
    // The first bytes of a new host can overtake the news that there is one: then the port has bytes and an end at
    // once.
    if (any && kind_ == LineKind::virtio_serial) return recheck_.set(recheck_time);
    return on_host_left();
  }
  if (reader_.partial() && !paused_) {
    idle_.set(idle_limit);
  } else {
    idle_.cancel();
  }
}

Line::Reading Line::read_some() {
  char bytes[read_at_once];
  const auto size = read(fd_.get(), bytes, sizeof bytes);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return Reading::nothing;
  if (size <= 0) return Reading::end;
  reader_.feed({bytes, static_cast<std::size_t>(size)});
  return Reading::some;
}

// Nobody will read what was for that host, and the rest of its last frame will never come.
void Line::on_host_left() {
  reader_.reset();
  out_.clear();
  sent_ = next_frame_ = 0;
  if (kind_ == LineKind::connection) {
    closed_ = true;
    watch_.reset();
  } else if (kind_ == LineKind::serial) {
    log_line(name_ + ": hung up; not served any more");
    closed_ = true;
    watch_.reset();
  }
  events_.on_closed();
}

void Line::send(protocol::FrameType type, std::uint32_t job, std::uint64_t nonce, std::string_view message) {
  if (closed_) return;
  protocol::append_message(out_, type, job, nonce, message);
  if (type != protocol::FrameType::output || unsent() >= gather_limit) return flush_later();
  if (!gather_.active()) gather_.set(gather_time);
}

void Line::drop_unsent() {
  out_.resize(std::max(next_frame_, sent_));
}

std::size_t Line::room() const {
  if (unsent() >= output_held) return 0;
  return slow() ? output_held - unsent() : protocol::max_payload;
}

void Line::pause(bool paused) {
  if (paused_ == paused || closed_) return;
  paused_ = paused;
  watch();
  if (paused) return;
  // What was read before the pause, and what came to an edge-triggered line meanwhile, tells of itself no more.
  loop_.at_end_of_round([this, alive = alive_] {
    if (!*alive || paused_ || closed_) return;
    while (auto frame = reader_.next()) {
      events_.on_frame(std::move(*frame));
      if (!*alive || closed_ || paused_) return;
    }
    read_frames();
  });
}

// Once a round: a step's end, a result and its proof leave in one piece.
void Line::flush_later() {
  if (flush_asked_ || blocked_) return;
  flush_asked_ = true;
  loop_.at_end_of_round([this, alive = alive_] {
    if (!*alive) return;
    flush_asked_ = false;
    flush();
  });
}

void Line::flush() {
  gather_.cancel();
  const std::size_t room_before = room();
  while (!closed_ && sent_ < out_.size()) {
    const auto size = write(fd_.get(), out_.data() + sent_, out_.size() - sent_);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      blocked_ = true;  // also when nobody is connected: an event tells of the next host
      break;
    }
    sent_ += static_cast<std::size_t>(size);
  }
  while (next_frame_ < sent_) next_frame_ += protocol::frame_size(out_, next_frame_);
  if (sent_ == out_.size() || sent_ >= output_held) {
    out_.erase(0, sent_);
    next_frame_ -= sent_;
    sent_ = 0;
  }
  if (!closed_ && kind_ != LineKind::virtio_serial) watch();
  if (room() > room_before) events_.on_room();
}

}  // namespace pbotvm::guest

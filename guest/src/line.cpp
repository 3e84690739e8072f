// SPDX-License-Identifier: MIT
#include "line.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace pbotvm::guest {
namespace {

constexpr std::size_t read_at_once = 32 * 1024;
constexpr std::size_t output_held = 32 * 1024;  // bytes of unsent output beyond which no more is taken
// A serial line takes some 50 bytes a millisecond. What waits on it, also in the kernel, is what holds up an answer;
// the kernel says that a tty can be written to when fewer than 256 bytes wait in it, so that the line is never idle.
constexpr std::size_t held_slow = 1536;
constexpr std::size_t held_crowded = 1024;
constexpr std::size_t least_slow = 512;  // of room for a frame to be worth its header
constexpr std::size_t waits_in_tty = 256;
// A frame is one write, and a virtio-serial port takes 32 KiB in one.
constexpr std::size_t longest_output_header = 5;
constexpr std::size_t output_at_once = protocol::max_payload - protocol::header_size - longest_output_header;
constexpr std::size_t sent_kept = 256 * 1024;  // bytes that were sent and are not worth moving what follows
// Small pieces of output leave together, and mostly with the end of their step.
constexpr std::size_t gather_limit = 4 * 1024;
constexpr std::size_t gather_limit_slow = 512;
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
  if (events_.on_text) reader_.keep_skipped();
  watch();
}

void Line::watch() {
  // A virtio-serial port without a host is readable all the time: only changes are of interest there.
  const std::uint32_t events = kind_ == LineKind::virtio_serial
                                   ? EPOLLIN | EPOLLOUT | EPOLLET
                                   : (paused_ || half_closed_ ? 0u : EPOLLIN) | (blocked_ ? EPOLLOUT : 0u);
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
  if (half_closed_) {
    if (!closed_ && (events & (EPOLLHUP | EPOLLERR))) on_host_left();
    return;
  }
  if (!paused_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) read_frames();
}

void Line::read_frames() {
  const auto alive = alive_;
  bool any = false;
  Reading reading;
  while ((reading = read_some()) == Reading::some) {
    any = true;
    if (!hand_on()) return;
    if (paused_) break;
  }
  if (reading == Reading::end) {
    // The first bytes of a new host can overtake the news that there is one: then the port has bytes and an end at
    // once.
    if (any && kind_ == LineKind::virtio_serial) return recheck_.set(recheck_time);
    if (kind_ == LineKind::connection && events_.on_end && events_.on_end()) {
      half_closed_ = true;
      idle_.cancel();
      return watch();
    }
    return on_host_left();
  }
  if (reader_.partial() && !paused_) {
    idle_.set(idle_limit);
  } else {
    idle_.cancel();
  }
}

// What was read, as far as it is whole and reading is not paused. False when this object is not to be used any more.
bool Line::hand_on() {
  const auto alive = alive_;
  while (!paused_) {
    auto frame = reader_.next();
    if (events_.on_text) {
      const std::string text = reader_.take_skipped();
      if (!text.empty()) events_.on_text(text);
      if (!*alive || closed_) return false;
    }
    if (!frame) return true;
    events_.on_frame(std::move(*frame));
    if (!*alive || closed_) return false;
  }
  return true;
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
  ends_.clear();
  sent_ = begin_ = 0;
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
  ends_.push_back(out_.size());
  flush_later();
}

void Line::send_part(protocol::FrameType type, bool more, std::uint32_t job, std::uint64_t nonce, std::string_view head,
                     std::string_view body) {
  if (closed_) return;
  protocol::append_frame(out_, type, more, job, nonce, head, body);
  ends_.push_back(out_.size());
  if (unsent() >= (slow() ? gather_limit_slow : gather_limit)) return flush_later();
  if (!gather_.active()) gather_.set(gather_time);
}

void Line::send_text(std::string_view text) {
  if (closed_) return;
  out_.append(text);
  ends_.push_back(out_.size());
  flush_later();
}

void Line::finish() {
  finishing_ = true;
  flush_later();
}

void Line::drop_unsent() {
  const bool begun = sent_ > begin_;
  ends_.resize(begun ? 1 : 0);
  out_.resize(begun ? ends_.front() : begin_);
}

std::size_t Line::room(bool crowded) const {
  if (!slow()) return unsent() >= output_held ? 0 : output_at_once;
  const std::size_t waiting = unsent() + in_device();
  const std::size_t held = crowded ? held_crowded : held_slow;
  const std::size_t room = waiting < held ? held - waiting : 0;
  return room < least_slow ? 0 : std::min(room, held - least_slow);
}

// Bytes that were written to a tty and have not left it.
std::size_t Line::in_device() const {
  int bytes = 0;
  return slow() && ioctl(fd_.get(), TIOCOUTQ, &bytes) == 0 ? static_cast<std::size_t>(bytes) : 0;
}

void Line::pause(bool paused) {
  if (paused_ == paused || closed_) return;
  paused_ = paused;
  watch();
  if (paused) return;
  // What was read before the pause, and what came to an edge-triggered line meanwhile, tells of itself no more.
  loop_.at_end_of_round([this, alive = alive_] {
    if (!*alive || paused_ || closed_) return;
    if (hand_on() && !paused_) read_frames();
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
  const bool lost = !closed_ && !write_some();
  forget_sent();
  // A host that is gone altogether may tell of itself only now.
  if (half_closed_ && (lost || (finishing_ && unsent() == 0))) return on_host_left();
  if (!closed_ && kind_ != LineKind::virtio_serial) watch();
  events_.on_room();
}

// As much as the line takes without what comes later having to wait behind it. False when nobody can ever read it.
bool Line::write_some() {
  const std::size_t held = slow() ? in_device() : 0;
  std::size_t most = slow() ? std::max(held_slow, held) - held : unsent();
  while (sent_ < out_.size() && most > 0) {
    const auto size = write(fd_.get(), out_.data() + sent_, std::min(most, unsent()));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      blocked_ = true;  // also when nobody is connected: an event tells of the next host
      return errno == EAGAIN;
    }
    sent_ += static_cast<std::size_t>(size);
    most -= static_cast<std::size_t>(size);
  }
  if (slow() && (unsent() > 0 || in_device() >= waits_in_tty)) blocked_ = true;
  return true;
}

void Line::forget_sent() {
  for (; !ends_.empty() && ends_.front() <= sent_; ends_.pop_front()) begin_ = ends_.front();
  if (sent_ < out_.size() && sent_ < sent_kept) return;
  out_.erase(0, sent_);
  for (auto& end : ends_) end -= sent_;
  begin_ -= std::min(begin_, sent_);
  sent_ = 0;
}

}  // namespace pbotvm::guest

// SPDX-License-Identifier: MIT
#include "job_output.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "protocol/frame.h"

namespace pbotvm::guest {
namespace {

// A step that ends within this is not interrupted for its output, which is read when it has ended; pipes hold so much.
constexpr auto first_look = std::chrono::milliseconds(15);
// A job that fills its pipe gets a longer one, so that it and this program take fewer turns on the processor.
constexpr int long_pipe = 512 * 1024;        // three milliseconds do not fill it: next_look
constexpr std::size_t much = 16 * 1024;      // in one read
constexpr std::uint64_t plenty = 64 * 1024;  // of a step, in however small pieces
// Who writes little at a time, again and again, is not read after each of his writes, but when some of them are there.
constexpr auto next_look = std::chrono::milliseconds(3);

}  // namespace

JobOutput::JobOutput(EventLoop& loop, std::uint64_t limit, Events events)
    : loop_(loop), limit_(limit), events_(std::move(events)), delay_(loop, [this] { watch(); }) {
  pipes_[0].stream = Stream::out;
  pipes_[1].stream = Stream::err;
}

void JobOutput::open(UniqueFd& out, UniqueFd& err, std::size_t crowd) {
  state_ = State::open;
  cut_before_ = cut_;
  pipes_[0].fd = &out;
  pipes_[1].fd = &err;
  for (auto& pipe : pipes_) pipe.ready = pipe.lengthened = pipe.little = false;
  delay_.set(first_look * crowd);
}

void JobOutput::end() {
  state_ = State::ended;
  delay_.cancel();
  for (auto& pipe : pipes_) {
    int bytes = 0;
    pipe.watch.reset();
    if (*pipe.fd) ioctl(pipe.fd->get(), FIONREAD, &bytes);
    pipe.left = static_cast<std::uint64_t>(bytes);
  }
  settle();
}

bool JobOutput::ended() const {
  return state_ == State::ended && pipes_[0].left + pipes_[1].left == 0;
}

void JobOutput::close() {
  state_ = State::closed;
  delay_.cancel();
  for (auto& pipe : pipes_) pipe.watch.reset();
}

void JobOutput::add_credit(std::uint64_t bytes) {
  credit_ += bytes;
  settle();
}

void JobOutput::cut_short(std::uint64_t most) {
  if (struck_) return;
  struck_ = true;
  last_words_ = most;
  settle();
}

void JobOutput::turn(std::size_t room) {
  const std::size_t first = state_ == State::ended ? 0 : first_;
  for (std::size_t i = 0; i < pipes_.size() && room > 0; ++i) {
    Pipe& pipe = pipes_[(first + i) % pipes_.size()];
    const bool due = state_ == State::ended ? pipe.left > 0 : pipe.ready && !struck_;
    if (due && credit_ > 0) room -= std::min(room, read_some(pipe, room));
  }
  first_ = 1 - first_;
  settle();
}

// What is to be done when credit, a strike, a turn or an end has changed what may be read.
void JobOutput::settle() {
  if (state_ == State::closed) return;
  if (state_ == State::open) {
    if (!delay_.active()) watch();
    if (credit_ > 0 && !struck_ && (pipes_[0].ready || pipes_[1].ready)) events_.want_turn();
    return;
  }
  if (struck_ && (credit_ == 0 || last_words_ == 0 || sent_ == limit_)) {
    for (auto& pipe : pipes_) cut_ += std::exchange(pipe.left, 0);
  }
  if (credit_ > 0 && !ended()) events_.want_turn();
}

void JobOutput::watch() {
  for (auto& pipe : pipes_) {
    if (pipe.watch || pipe.ready || !*pipe.fd || struck_) continue;
    pipe.watch =
        std::make_unique<Watch>(loop_, pipe.fd->get(), EPOLLIN, [this, &pipe](std::uint32_t) { on_readable(pipe); });
  }
}

void JobOutput::on_readable(Pipe& pipe) {
  pipe.ready = true;
  if (credit_ > 0 && !struck_) events_.want_turn();
  if (pipe.ready) pipe.watch.reset();  // nothing more is to be told until it was read
}

// Bytes that were printed.
std::size_t JobOutput::read_some(Pipe& pipe, std::size_t most) {
  char bytes[protocol::max_payload];
  if (state_ == State::ended) most = static_cast<std::size_t>(std::min<std::uint64_t>(most, pipe.left));
  most = static_cast<std::size_t>(std::min<std::uint64_t>({most, credit_, sizeof bytes}));
  const auto size = read(pipe.fd->get(), bytes, most);
  pipe.ready = false;
  if (state_ == State::ended) pipe.left = size > 0 ? pipe.left - static_cast<std::uint64_t>(size) : 0;
  if (size > 0) {
    take(pipe.stream, {bytes, static_cast<std::size_t>(size)});
    const bool little = static_cast<std::size_t>(size) < much;
    const bool again = std::exchange(pipe.little, little);
    if ((!little || sent_ >= plenty) && !std::exchange(pipe.lengthened, true)) {
      fcntl(pipe.fd->get(), F_SETPIPE_SZ, long_pipe);  // refused: it stays as it is
    }
    if (little && again && state_ == State::open) {
      pipe.watch.reset();
      delay_.set(next_look);
    }
    return static_cast<std::size_t>(size);
  }
  if (size == 0 && state_ == State::open) {  // its end
    pipe.watch.reset();
    pipe.fd->reset();
  }
  return 0;
}

void JobOutput::take(Stream stream, std::string_view bytes) {
  std::uint64_t allowed = limit_ - sent_;
  if (struck_) {
    allowed = std::min(allowed, last_words_);
    last_words_ -= std::min<std::uint64_t>(last_words_, bytes.size());
  }
  const auto part = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(allowed, bytes.size())));
  sent_ += part.size();
  credit_ -= part.size();
  cut_ += bytes.size() - part.size();
  if (!part.empty()) events_.print(stream, part);
  if (part.size() < bytes.size() && !struck_ && !std::exchange(limited_, true)) events_.on_limit();
}

}  // namespace pbotvm::guest

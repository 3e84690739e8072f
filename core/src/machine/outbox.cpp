// SPDX-License-Identifier: MIT
#include "machine/outbox.h"

#include <sys/socket.h>

#include <cerrno>

#include "pbotvm/error.h"

namespace pbotvm::machine {

namespace {

constexpr std::size_t kept_written = 64 * 1024;  // bytes, before the rest is moved to the front

}  // namespace

void Outbox::add(protocol::FrameType type, bool more, std::uint32_t job, std::uint64_t nonce,
                 std::string_view payload) {
  protocol::append_frame(bytes_, type, more, job, nonce, {}, payload);
  ends_.push_back(bytes_.size());
}

void Outbox::write_some(int fd, const std::string& description) {
  while (waiting() > 0) {
    const ssize_t put = ::send(fd, bytes_.data() + written_, waiting(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (put < 0) throw Error(ErrorCode::unavailable, errno_text(description, errno));
    written_ += static_cast<std::size_t>(put);
  }
  for (; !ends_.empty() && ends_.front() <= written_; ends_.pop_front()) begin_ = ends_.front();
  if (waiting() == 0) {
    bytes_.clear();
    written_ = begin_ = 0;
  } else if (begin_ >= kept_written) {
    bytes_.erase(0, begin_);
    for (auto& end : ends_) end -= begin_;
    written_ -= begin_;
    begin_ = 0;
  }
}

void Outbox::drop_unsent() {
  const bool begun = written_ > begin_;
  ends_.resize(begun ? 1 : 0);
  bytes_.resize(begun ? ends_.front() : begin_);
}

}  // namespace pbotvm::machine

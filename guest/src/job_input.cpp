// SPDX-License-Identifier: MIT
#include "job_input.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "protocol/messages.h"

namespace pbotvm::guest {
namespace {
constexpr std::uint64_t grant_at = protocol::initial_input_credit / 4;
}

JobInput::JobInput(EventLoop& loop, std::size_t readers, std::function<void(std::uint32_t)> grant)
    : loop_(loop), readers_(readers), grant_(std::move(grant)), allowed_(protocol::initial_input_credit) {}

void JobInput::add(std::string_view bytes) {
  if (ended_) throw protocol::MessageError("input: after its end");
  if (received_ + bytes.size() > allowed_) throw protocol::MessageError("input: more than was allowed");
  received_ += bytes.size();
  bytes_.append(bytes);
  pump();
}

void JobInput::end() {
  ended_ = true;
  pump();
}

void JobInput::open(UniqueFd& pipe, bool reads) {
  if (!reads) return pipe.reset();
  --readers_;
  if (begin_ > 0) return pipe.reset();  // its beginning was not kept
  pipe_ = &pipe;
  given_ = 0;
  pump();
}

void JobInput::close() {
  watch_.reset();
  if (pipe_) std::exchange(pipe_, nullptr)->reset();
  pump();
}

void JobInput::pump() {
  while (pipe_) {
    const auto rest = std::string_view(bytes_).substr(given_ - begin_);
    if (rest.empty()) {
      watch_.reset();
      if (ended_) std::exchange(pipe_, nullptr)->reset();
      break;
    }
    const auto size = write(pipe_->get(), rest.data(), rest.size());
    if (size >= 0) {
      given_ += static_cast<std::uint64_t>(size);
    } else if (errno == EAGAIN) {
      if (!watch_) watch_ = std::make_unique<Watch>(loop_, pipe_->get(), EPOLLOUT, [this](std::uint32_t) { pump(); });
      break;
    } else {  // the step has closed it
      watch_.reset();
      std::exchange(pipe_, nullptr)->reset();
    }
  }
  let_go();
}

// Forgets what nobody will read, and lets the host send as much anew.
void JobInput::let_go() {
  if (!pipe_ && readers_ == 0) given_ = begin_ + bytes_.size();
  const std::uint64_t before = most_given_;
  most_given_ = std::max(most_given_, given_);
  if (readers_ == 0 || bytes_.size() > max_kept_input) {
    bytes_.erase(0, given_ - begin_);
    begin_ = given_;
    if (bytes_.empty()) std::string().swap(bytes_);
  }
  if (most_given_ == before || ended_) return;
  const std::uint64_t grant = most_given_ + protocol::initial_input_credit - allowed_;
  if (grant < grant_at) return;
  allowed_ += grant;
  grant_(static_cast<std::uint32_t>(grant));
}

}  // namespace pbotvm::guest

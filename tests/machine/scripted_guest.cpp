// SPDX-License-Identifier: MIT
#include "scripted_guest.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>

namespace pbotvm::test {

using protocol::Frame;
using protocol::FrameType;

SocketPair::SocketPair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) {
    throw std::runtime_error("socketpair");
  }
  host.reset(fds[0]);
  guest.reset(fds[1]);
}

Frame ScriptedGuest::expect(FrameType type) {
  for (;;) {
    auto frame = next();
    if (frame.type == type) return frame;
  }
}

Frame ScriptedGuest::next() {
  const auto deadline = Deadline::in(std::chrono::seconds(30));
  for (;;) {
    if (const auto frame = reader_.next()) {
      if (frame->type == FrameType::hello) nonce_ = frame->nonce;
      return *frame;
    }
    pollfd fd{stream_.get(), POLLIN, 0};
    if (::poll(&fd, 1, deadline.poll_timeout()) <= 0) throw std::runtime_error("the expected frame did not come");
    char buffer[65536];
    const ssize_t got = ::recv(stream_.get(), buffer, sizeof buffer, 0);
    if (got <= 0) throw std::runtime_error("the host closed the line");
    reader_.feed(std::string_view(buffer, static_cast<std::size_t>(got)));
  }
}

void ScriptedGuest::send(FrameType type, std::uint32_t job, std::uint64_t nonce, const std::string& payload) {
  std::string bytes;
  protocol::append_message(bytes, type, job, nonce, payload);
  send_raw(bytes);
}

void ScriptedGuest::send_raw(const std::string& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t size = ::send(stream_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (size > 0) sent += static_cast<std::size_t>(size);
    pollfd room{stream_.get(), POLLOUT, 0};
    if (size < 0 && (errno != EAGAIN || ::poll(&room, 1, 30'000) <= 0))
      throw std::runtime_error("the host does not read");
  }
}

void ScriptedGuest::welcome(std::uint32_t slots) {
  expect(FrameType::hello);
  protocol::Welcome welcome;
  welcome.version = "scripted";
  welcome.slots = slots;
  send(FrameType::welcome, 0, nonce_, protocol::encode(welcome));
}

void ScriptedGuest::output(std::uint32_t job, const std::string& text) {
  if (text.empty()) return;  // an output frame has at least one byte
  send(FrameType::output, job, nonce_, protocol::encode_output(0, Stream::out, text));
}

void ScriptedGuest::step(std::uint32_t job, std::uint32_t index) {
  StepResult step;
  step.step = index;
  step.label = "run";
  send(FrameType::step, job, nonce_, protocol::encode(step));
}

void ScriptedGuest::result(std::uint32_t job, Limit limit) {
  protocol::Ending ending;
  ending.limit = limit;
  send(FrameType::result, job, nonce_, protocol::encode(ending));
}

void ScriptedGuest::clean(std::uint32_t job, bool proven) {
  protocol::Clean proof;
  proof.proven = proven;
  proof.why = proven ? "" : "something is left";
  send(FrameType::clean, job, nonce_, protocol::encode(proof));
}

void ScriptedGuest::finish(std::uint32_t job, Limit limit, bool proven) {
  step(job);
  result(job, limit);
  clean(job, proven);
}

void ScriptedGuest::collected(std::uint32_t job, const protocol::Collected& files) {
  send(FrameType::collected, job, nonce_, protocol::encode(files));
}

void ScriptedGuest::file(std::uint32_t job, std::uint32_t index, const std::string& bytes) {
  send(FrameType::file, job, nonce_, protocol::encode_file_piece(index, bytes));
}

void ScriptedGuest::refuse(std::uint32_t job, const std::string& code) {
  send(FrameType::error, job, nonce_, protocol::encode(protocol::Refusal{code, "no"}));
}

Job make_job(std::chrono::milliseconds wall) {
  Job job;
  Step step;
  step.label = "run";
  step.argv = {"true"};
  job.steps.push_back(step);
  job.limits = {wall, wall, 1024, 1 << 20, 10, 1 << 20, 64};
  return job;
}

}  // namespace pbotvm::test

// SPDX-License-Identifier: MIT
#include "host/client_exchange.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "pbotvm/deadline.h"

namespace pbotvm::host {

namespace {

using namespace std::chrono_literals;

constexpr auto reply_patience = 10s;         // for a client to take some of its reply
constexpr std::size_t read_at_once = 65536;  // bytes, so that one client does not keep the others waiting

bool await_room(int fd) {
  pollfd ready{fd, POLLOUT, 0};
  const auto deadline = Deadline::in(reply_patience);
  for (;;) {
    const int count = ::poll(&ready, 1, deadline.poll_timeout());
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return false;
  }
}

}  // namespace

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!await_room(fd)) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

void SocketAudience::take(const service::Event& event) {
  if (gone_) return;
  std::string text;
  if (form_ == service::ReplyForm::json) {
    text = json_.lines(event);
  } else if (const auto* reply = service::reply_text_of(event)) {
    text = *reply + '\n';
  }
  if (send_all(fd_, text)) return;
  gone_ = true;
  control_.cancel();
}

ClientWatch::Next WordReader::feed(std::string_view bytes) {
  pending_.append(bytes);
  return pass_on();
}

ClientWatch::Next WordReader::pass_on() {
  try {
    while (word_ || (word_ = next_word())) {
      if (!word_->input.empty() && !control_.add_input(word_->input)) return ClientWatch::Next::pause;
      if (word_->input_end) control_.end_input();
      if (word_->cancel) control_.cancel();
      word_.reset();
    }
    return ClientWatch::Next::read;
  } catch (const service::RequestError& e) {
    control_.refuse(e.what());
  } catch (const std::exception& e) {
    control_.refuse(std::string("The host failed to read this line: ") + e.what());
  }
  return ClientWatch::Next::stop;
}

// Of the first whole line that is not blank. What was read leaves `pending_` only when the rest is not whole: a move
// for each of many short lines would keep every other client waiting.
std::optional<service::ClientWord> WordReader::next_word() {
  for (;;) {
    const auto end = pending_.find('\n', begin_);
    if (end == std::string::npos) {
      pending_.erase(0, std::exchange(begin_, 0));
      if (pending_.size() <= service::max_line) return std::nullopt;
      throw service::RequestError("Invalid request: a line is longer than 1 MiB; send less, or in pieces.");
    }
    const auto line = std::string_view(pending_).substr(begin_, end - begin_);
    begin_ = end + 1;
    if (line.find_first_not_of(" \t\r") != line.npos) return service::parse_client_word(line, streams_input_);
  }
}

ClientWatch::Next WordReader::read() {
  if (const auto next = pass_on(); next != ClientWatch::Next::read) return next;
  char buffer[read_at_once];
  const ssize_t got = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
  if (got > 0) return feed({buffer, static_cast<std::size_t>(got)});
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return ClientWatch::Next::read;
  // The client has said its last word; it still listens.
  if (got == 0) control_.end_input();
  return ClientWatch::Next::stop;
}

bool exchange(int fd, const service::ClientRequest& request, std::string_view rest, service::Service& service,
              ClientWatch& watch, service::RequestControl& control) {
  SocketAudience audience(fd, request.reply, control);
  WordReader words(fd, request.streams_input, control);
  ClientWatch::Callbacks callbacks;
  callbacks.gone = [&control] { control.cancel(); };
  // One that gets text has nothing more to say, and what stands behind its line is left alone, as the original does.
  if (request.reply == service::ReplyForm::json && words.feed(rest) != ClientWatch::Next::stop)
    callbacks.readable = [&words] { return words.read(); };
  const auto watched = watch.watch(fd, std::move(callbacks));
  service.run(request, audience, control);
  return !audience.gone();
}

}  // namespace pbotvm::host

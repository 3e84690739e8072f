// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "host/client_watch.h"
#include "service/client_request.h"
#include "service/events.h"
#include "service/json_reply.h"
#include "service/request_control.h"
#include "service/service.h"

namespace pbotvm::host {

/// Writes all of it to a socket, waiting for a client that reads slowly. False when the client is gone, or took nothing
/// for 10 s.
bool send_all(int fd, std::string_view bytes);

/// Writes what becomes of a request to its client's socket, in the form that it asked for.
class SocketAudience : public service::Audience {
 public:
  SocketAudience(int fd, service::ReplyForm form, service::RequestControl& control)
      : fd_(fd), form_(form), control_(control) {}

  bool wants_progress() const override { return form_ == service::ReplyForm::json; }
  /// A client that is gone hears nothing more, and its request is cancelled.
  void take(const service::Event& event) override;

  bool gone() const { return gone_; }

 private:
  const int fd_;
  const service::ReplyForm form_;
  service::RequestControl& control_;
  service::JsonReply json_;
  bool gone_ = false;
};

/// Reads what a client says while its request runs, a line at a time, and passes it on. One thread at a time.
class WordReader {
 public:
  WordReader(int fd, bool streams_input, service::RequestControl& control)
      : fd_(fd), streams_input_(streams_input), control_(control) {}

  /// Takes bytes that were read already.
  ClientWatch::Next feed(std::string_view bytes);

  /// Reads what is there now, not all of it when it is much, and nothing while the job does not take what it has.
  ClientWatch::Next read();

 private:
  ClientWatch::Next pass_on();
  std::optional<service::ClientWord> next_word();

  const int fd_;
  const bool streams_input_;
  service::RequestControl& control_;
  std::string pending_;                      // lines that were not passed on, and one that is not whole
  std::size_t begin_ = 0;                    // of the first of them
  std::optional<service::ClientWord> word_;  // the job did not take its input yet
};

/// Answers one request over its client's socket. `rest` came behind the request's line. Blocks until the client has
/// all of the reply, or is gone: false. `control`: of this request alone.
bool exchange(int fd, const service::ClientRequest& request, std::string_view rest, service::Service& service,
              ClientWatch& watch, service::RequestControl& control);

}  // namespace pbotvm::host

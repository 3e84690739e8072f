// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "pbotvm/deadline.h"
#include "pbotvm/unique_fd.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

namespace pbotvm::test {

/// Two connected stream sockets.
struct SocketPair {
  SocketPair();
  UniqueFd host, guest;
};

/// The guest's end of a conversation, played by a test frame by frame. Throws std::runtime_error when what it waits for
/// does not come within 5 s.
class ScriptedGuest {
 public:
  explicit ScriptedGuest(UniqueFd stream) : stream_(std::move(stream)) {}

  /// The next frame of that type; others are passed over. Remembers the nonce of every hello.
  protocol::Frame expect(protocol::FrameType type);

  void send(protocol::FrameType type, std::uint32_t job, std::uint64_t nonce, const std::string& payload);
  void send_raw(const std::string& bytes);

  /// Waits for a hello and answers it.
  void welcome();

  void output(std::uint32_t job, const std::string& text);
  void finish(std::uint32_t job, Limit limit = Limit::none, bool clean = true);

  std::uint64_t nonce() const { return nonce_; }
  void close() { stream_.reset(); }

 private:
  UniqueFd stream_;
  protocol::FrameReader reader_;
  std::uint64_t nonce_ = 0;
};

/// A job of one step with every limit filled in.
Job make_job(std::chrono::milliseconds wall = std::chrono::milliseconds(5000));

}  // namespace pbotvm::test

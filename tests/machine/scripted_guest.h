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
  /// The next frame.
  protocol::Frame next();

  void send(protocol::FrameType type, std::uint32_t job, std::uint64_t nonce, const std::string& payload);
  void send_raw(const std::string& bytes);

  /// Waits for a hello and answers it.
  void welcome(std::uint32_t slots = 1);

  void output(std::uint32_t job, const std::string& text);
  void step(std::uint32_t job, std::uint32_t index = 0);
  void result(std::uint32_t job, Limit limit = Limit::none);
  void clean(std::uint32_t job, bool proven = true);
  /// The last three.
  void finish(std::uint32_t job, Limit limit = Limit::none, bool proven = true);

  /// Announces files to be taken back.
  void collected(std::uint32_t job, const protocol::Collected& files);
  void file(std::uint32_t job, std::uint32_t index, const std::string& bytes);
  void refuse(std::uint32_t job, const std::string& code);

  std::uint64_t nonce() const { return nonce_; }
  std::uint64_t damaged_frames() const { return reader_.damaged_frames(); }
  void close() { stream_.reset(); }

 private:
  UniqueFd stream_;
  protocol::FrameReader reader_;
  std::uint64_t nonce_ = 0;
};

/// A job of one step with every limit filled in.
Job make_job(std::chrono::milliseconds wall = std::chrono::milliseconds(5000));

}  // namespace pbotvm::test

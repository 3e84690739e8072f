// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

#include "protocol/frame.h"

namespace pbotvm::machine {

/// Frames on their way into one stream. The machine's thread only.
class Outbox {
 public:
  void add(protocol::FrameType type, bool more, std::uint32_t job, std::uint64_t nonce, std::string_view payload);

  /// Bytes that the stream has not taken.
  std::size_t waiting() const { return bytes_.size() - written_; }

  /// Writes what the stream `fd` takes now. Throws Error{unavailable}, in which `description` names the stream.
  void write_some(int fd, const std::string& description);

  /// Forgets what waits, but for the rest of a frame that is already on its way: one that was cut short would take the
  /// next one for its own.
  void drop_unsent();

 private:
  std::string bytes_;
  std::size_t written_ = 0;       // of bytes_
  std::deque<std::size_t> ends_;  // in bytes_, of each frame that is not wholly written
  std::size_t begin_ = 0;         // in bytes_, of the first of them
};

}  // namespace pbotvm::machine

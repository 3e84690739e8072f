// SPDX-License-Identifier: MIT
#pragma once

// The frames between host and guest. docs/protocol.md is the specification.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace pbotvm::protocol {

inline constexpr std::uint8_t frame_version = 1;
inline constexpr std::string_view frame_magic = "\xFEPVM";  // 0xFE occurs in no UTF-8 text, so in no JSON text
inline constexpr std::size_t header_size = 32;
inline constexpr std::size_t max_payload = 32 * 1024;

enum class FrameType : std::uint8_t {
  hello = 1,       // host: opens a conversation (JSON)
  welcome = 2,     // guest: its answer (JSON)
  ping = 3,        // either: any payload
  pong = 4,        // the answer: the same payload
  job = 5,         // host: a job without its files' content (JSON)
  file = 6,        // host, and guest behind `collected`: index (u32), then bytes that continue that file
  input = 7,       // host: bytes of the job's input; an empty one is its end
  output = 8,      // guest: step (u32), stream (u8), then bytes
  step = 9,        // guest: a step ended (JSON)
  result = 10,     // guest: the job ended (JSON)
  clean = 11,      // guest: whether it could prove that nothing of the job is left (JSON); its slot is free again
  cancel = 12,     // host: end the job
  credit = 13,     // either: u32, so many more bytes of output (from the host) or input (from the guest) may come
  error = 14,      // either: a frame or a job was refused (JSON)
  collected = 15,  // guest: the files that are taken back (JSON); their content follows in `file` frames
};

/// One frame. Numbers on the wire are big-endian.
struct Frame {
  FrameType type{};
  bool more = false;        ///< the message goes on in the next frame of this type and job
  std::uint32_t job = 0;    ///< 0: the conversation itself
  std::uint64_t nonce = 0;  ///< chosen by the host's hello
  std::string payload;      ///< at most max_payload bytes

  friend bool operator==(const Frame&, const Frame&) = default;
};

/// Appends the encoded frame to `to`. The payload's size is the caller's to keep: see append_message for longer ones.
void append_frame(std::string& to, const Frame& frame);

/// The same without a Frame to be filled: the payload is `head` and then `body`.
void append_frame(std::string& to, FrameType type, bool more, std::uint32_t job, std::uint64_t nonce,
                  std::string_view head, std::string_view body);

/// Appends `message` as one frame, or several with `more` set on all but the last.
void append_message(std::string& to, FrameType type, std::uint32_t job, std::uint64_t nonce, std::string_view message);

/// Cuts a byte stream into frames and finds the way back after garbage. Never throws on what it is fed, keeps at most
/// one frame's worth of bytes beyond what was fed last.
class FrameReader {
 public:
  void feed(std::string_view bytes);

  /// The next whole frame whose checksums fit, or none until more is fed. Skips what is no frame.
  std::optional<Frame> next();

  /// Drops a half-read frame: called when the line was idle for too long, and after a revert.
  void reset();

  /// Keeps what is passed over as no frame, for take_skipped(); off until it is called.
  void keep_skipped() { keep_skipped_ = true; }
  /// The bytes that were passed over since the last call, in order: another dialect may stand there. What may still
  /// turn out to be a frame is not among them.
  std::string take_skipped() { return std::exchange(skipped_, {}); }

  /// Whether a frame has begun but is not whole.
  bool partial() const;

  std::uint64_t skipped_bytes() const { return skipped_bytes_; }    ///< garbage so far
  std::uint64_t damaged_frames() const { return damaged_frames_; }  ///< headers or payloads whose checksum failed

 private:
  void skip(std::size_t count);
  std::string buffer_;
  std::size_t start_ = 0;  // first byte of buffer_ that is not consumed
  bool keep_skipped_ = false;
  std::string skipped_;
  std::uint64_t skipped_bytes_ = 0;
  std::uint64_t damaged_frames_ = 0;
};

}  // namespace pbotvm::protocol

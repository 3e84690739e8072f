// SPDX-License-Identifier: MIT
#include "protocol/frame.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

namespace pbotvm::protocol {
namespace {

constexpr std::uint16_t flag_more = 1;

// Where the fields of a header stand.
constexpr std::size_t at_version = 4;
constexpr std::size_t at_type = 5;
constexpr std::size_t at_flags = 6;
constexpr std::size_t at_job = 8;
constexpr std::size_t at_length = 12;
constexpr std::size_t at_nonce = 16;
constexpr std::size_t at_header_sum = 24;
constexpr std::size_t at_payload_sum = 28;

template <typename Number>
void put(char* to, Number value) {
  for (std::size_t i = sizeof(Number); i-- > 0;) {
    to[i] = static_cast<char>(value & 0xff);
    value = static_cast<Number>(value >> 8);
  }
}

template <typename Number>
Number get(const char* from) {
  Number value = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    value = static_cast<Number>(static_cast<Number>(value << 8) | static_cast<unsigned char>(from[i]));
  }
  return value;
}

std::uint32_t checksum(const char* data, std::size_t size, std::uint32_t before = 0) {
  if (size == 0) return before;  // zlib takes no address for "anew"
  return static_cast<std::uint32_t>(crc32(before, reinterpret_cast<const Bytef*>(data), static_cast<uInt>(size)));
}

// Whether 32 bytes that begin with the magic are a header of ours.
bool header_fits(const char* header) {
  return get<std::uint32_t>(header + at_header_sum) == checksum(header, at_header_sum) &&
         static_cast<std::uint8_t>(header[at_version]) == frame_version &&
         get<std::uint32_t>(header + at_length) <= max_payload;
}

// Offset of the first place in `bytes` where the magic stands, or may stand once more bytes follow.
std::size_t find_magic(std::string_view bytes) {
  for (std::size_t at = bytes.find(frame_magic[0]); at != bytes.npos; at = bytes.find(frame_magic[0], at + 1)) {
    const auto candidate = bytes.substr(at, frame_magic.size());
    if (candidate == frame_magic.substr(0, candidate.size())) return at;
  }
  return bytes.size();
}

}  // namespace

void append_frame(std::string& to, const Frame& frame) {
  append_frame(to, frame.type, frame.more, frame.job, frame.nonce, {}, frame.payload);
}

void append_frame(std::string& to, FrameType type, bool more, std::uint32_t job, std::uint64_t nonce,
                  std::string_view head, std::string_view body) {
  char header[header_size];
  std::memcpy(header, frame_magic.data(), frame_magic.size());
  header[at_version] = static_cast<char>(frame_version);
  header[at_type] = static_cast<char>(type);
  put<std::uint16_t>(header + at_flags, more ? flag_more : 0);
  put(header + at_job, job);
  put(header + at_length, static_cast<std::uint32_t>(head.size() + body.size()));
  put(header + at_nonce, nonce);
  put(header + at_header_sum, checksum(header, at_header_sum));
  put(header + at_payload_sum, checksum(body.data(), body.size(), checksum(head.data(), head.size())));
  to.append(header, header_size);
  to.append(head);
  to.append(body);
}

void append_message(std::string& to, FrameType type, std::uint32_t job, std::uint64_t nonce, std::string_view message) {
  do {
    const auto piece = message.substr(0, max_payload);
    message.remove_prefix(piece.size());
    append_frame(to, type, !message.empty(), job, nonce, {}, piece);
  } while (!message.empty());
}

void FrameReader::feed(std::string_view bytes) {
  if (start_ > 0) {
    buffer_.erase(0, start_);
    start_ = 0;
  }
  buffer_.append(bytes);
}

std::optional<Frame> FrameReader::next() {
  while (start_ < buffer_.size()) {
    skip(find_magic(std::string_view(buffer_).substr(start_)));
    const char* header = buffer_.data() + start_;
    const std::size_t available = buffer_.size() - start_;
    if (available < header_size) return std::nullopt;
    if (!header_fits(header)) {
      ++damaged_frames_;
      skip(1);
      continue;
    }
    const std::size_t length = get<std::uint32_t>(header + at_length);
    if (available < header_size + length) return std::nullopt;
    if (get<std::uint32_t>(header + at_payload_sum) != checksum(header + header_size, length)) {
      ++damaged_frames_;
      skip(1);
      continue;
    }
    Frame frame;
    frame.type = static_cast<FrameType>(header[at_type]);
    frame.more = (get<std::uint16_t>(header + at_flags) & flag_more) != 0;
    frame.job = get<std::uint32_t>(header + at_job);
    frame.nonce = get<std::uint64_t>(header + at_nonce);
    frame.payload.assign(header + header_size, length);
    start_ += header_size + length;
    return frame;
  }
  return std::nullopt;
}

void FrameReader::reset() {
  skipped_bytes_ += buffer_.size() - start_;
  std::string().swap(buffer_);
  start_ = 0;
}

bool FrameReader::partial() const {
  return start_ < buffer_.size();
}

void FrameReader::skip(std::size_t count) {
  if (keep_skipped_) skipped_.append(buffer_, start_, count);
  start_ += count;
  skipped_bytes_ += count;
}

}  // namespace pbotvm::protocol

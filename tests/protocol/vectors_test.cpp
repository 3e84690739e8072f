// SPDX-License-Identifier: MIT

// vectors.json was made by another implementation; a guest of someone else's can be tried against the same file.

#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "protocol/frame.h"
#include "protocol/messages.h"

namespace pbotvm::protocol {
namespace {

std::string from_hex(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return bytes;
}

nlohmann::json vectors(const char* section) {
  std::ifstream file(VECTORS);
  return nlohmann::json::parse(file).at(section);
}

Frame frame_of(const nlohmann::json& value) {
  return {static_cast<FrameType>(value.at("type").get<int>()), value.at("more").get<bool>(),
          value.at("job").get<std::uint32_t>(), std::stoull(value.at("nonce").get<std::string>(), nullptr, 16),
          from_hex(value.at("payload"))};
}

TEST(Vectors, every_frame_is_written_and_read_as_the_file_says) {
  for (const auto& vector : vectors("frames")) {
    const Frame frame = frame_of(vector.at("frame"));
    const std::string bytes = from_hex(vector.at("bytes"));
    std::string written;
    append_frame(written, frame);
    EXPECT_EQ(written, bytes) << vector.at("name");
    FrameReader reader;
    reader.feed(bytes);
    EXPECT_EQ(reader.next(), frame) << vector.at("name");
  }
}

TEST(Vectors, every_stream_holds_the_whole_frames_that_the_file_says) {
  for (const auto& vector : vectors("streams")) {
    FrameReader reader;
    reader.feed(from_hex(vector.at("bytes")));
    int found = 0;
    while (const auto frame = reader.next()) {
      EXPECT_EQ(frame->payload, "whole") << vector.at("name");
      EXPECT_EQ(frame->nonce, 0x0123456789abcdefu) << vector.at("name");
      ++found;
    }
    EXPECT_EQ(found, vector.at("frames").get<int>()) << vector.at("name");
  }
}

TEST(Vectors, every_message_is_written_and_read_as_the_file_says) {
  std::string pending;
  for (const auto& vector : vectors("frames")) {
    const Frame frame = frame_of(vector.at("frame"));
    const std::string& text = frame.payload;
    if (frame.more || !pending.empty()) {
      pending += text;
      if (frame.more) continue;
      EXPECT_EQ(decode_job(std::exchange(pending, {})).job.steps.at(0).argv.at(0), "true");
      continue;
    }
    switch (frame.type) {
      case FrameType::hello:
        EXPECT_EQ(encode(decode_hello(text)), text);
        break;
      case FrameType::welcome:
        EXPECT_EQ(encode(decode_welcome(text)), text);
        break;
      case FrameType::step:
        EXPECT_EQ(encode(decode_step(text)), text);
        break;
      case FrameType::result:
        EXPECT_EQ(encode(decode_ending(text)), text);
        break;
      case FrameType::clean:
        EXPECT_EQ(encode(decode_clean(text)), text);
        break;
      case FrameType::error:
        EXPECT_EQ(encode(decode_refusal(text)), text);
        break;
      case FrameType::collected:
        EXPECT_EQ(encode(decode_collected(text)), text);
        break;
      case FrameType::output: {
        const auto chunk = decode_output(text);
        EXPECT_EQ(encode_output(chunk.step, chunk.stream, chunk.bytes), text);
        break;
      }
      case FrameType::file: {
        const auto piece = decode_file_piece(text);
        EXPECT_EQ(encode_file_piece(piece.index, piece.bytes), text);
        break;
      }
      case FrameType::credit:
        EXPECT_EQ(encode_credit(decode_credit(text)), text);
        break;
      case FrameType::job: {
        AnnouncedJob announced = decode_job(text);
        for (std::size_t i = 0; i < announced.job.files.size(); ++i) {
          announced.job.files[i].content.resize(announced.file_sizes.at(i));
        }
        announced.job.input.resize(announced.input_size_hint);
        EXPECT_EQ(encode(announced.job), text);
        break;
      }
      default:
        break;
    }
  }
}

void decode(FrameType type, const std::string& text) {
  switch (type) {
    case FrameType::hello:
      decode_hello(text);
      break;
    case FrameType::welcome:
      decode_welcome(text);
      break;
    case FrameType::job:
      decode_job(text);
      break;
    case FrameType::file:
      decode_file_piece(text);
      break;
    case FrameType::output:
      decode_output(text);
      break;
    case FrameType::step:
      decode_step(text);
      break;
    case FrameType::result:
      decode_ending(text);
      break;
    case FrameType::clean:
      decode_clean(text);
      break;
    case FrameType::credit:
      decode_credit(text);
      break;
    case FrameType::error:
      decode_refusal(text);
      break;
    case FrameType::collected:
      decode_collected(text);
      break;
    default:
      FAIL() << "no message of type " << static_cast<int>(type);
  }
}

TEST(Vectors, every_bad_message_is_refused) {
  for (const auto& vector : vectors("refused")) {
    const auto type = static_cast<FrameType>(vector.at("type").get<int>());
    EXPECT_THROW(decode(type, from_hex(vector.at("payload"))), MessageError) << vector.at("name");
  }
}

TEST(Vectors, after_a_bad_message_the_next_frame_is_read) {
  for (const auto& vector : vectors("refused")) {
    const auto type = static_cast<FrameType>(vector.at("type").get<int>());
    std::string bytes;
    append_message(bytes, type, 1, 1, from_hex(vector.at("payload")));
    append_frame(bytes, {FrameType::ping, false, 0, 1, "next"});
    FrameReader reader;
    reader.feed(bytes);
    std::string last;
    while (const auto frame = reader.next()) last = frame->payload;
    EXPECT_EQ(last, "next") << vector.at("name");
  }
}

}  // namespace
}  // namespace pbotvm::protocol

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
      case FrameType::job: {
        AnnouncedJob announced = decode_job(text);
        announced.job.files.at(0).content.resize(announced.file_sizes.at(0));
        announced.job.input.resize(announced.input_size_hint);
        EXPECT_EQ(encode(announced.job), text);
        break;
      }
      default:
        break;
    }
  }
}

}  // namespace
}  // namespace pbotvm::protocol

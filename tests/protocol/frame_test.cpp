// SPDX-License-Identifier: MIT
#include "protocol/frame.h"

#include <gmock/gmock.h>

#include <random>
#include <vector>

namespace pbotvm::protocol {
namespace {

Frame ping(std::string payload, std::uint64_t nonce = 42) {
  Frame frame;
  frame.type = FrameType::ping;
  frame.nonce = nonce;
  frame.payload = std::move(payload);
  return frame;
}

std::string bytes_of(const Frame& frame) {
  std::string bytes;
  append_frame(bytes, frame);
  return bytes;
}

std::vector<Frame> read_all(FrameReader& reader) {
  std::vector<Frame> frames;
  while (auto frame = reader.next()) frames.push_back(std::move(*frame));
  return frames;
}

TEST(FrameReader, gives_back_what_was_encoded) {
  const Frame frame{FrameType::output, true, 0xfedcba98, 0x0123456789abcdef, std::string("\0\xFEPVM\xff", 6)};
  FrameReader reader;
  reader.feed(bytes_of(frame));
  EXPECT_THAT(read_all(reader), testing::ElementsAre(frame));
  EXPECT_FALSE(reader.partial());
}

TEST(FrameReader, takes_a_stream_byte_by_byte) {
  const std::string bytes = bytes_of(ping("one")) + bytes_of(ping(std::string(max_payload, 'x'))) + bytes_of(ping(""));
  FrameReader reader;
  std::vector<Frame> frames;
  for (const char byte : bytes) {
    reader.feed({&byte, 1});
    while (auto frame = reader.next()) frames.push_back(std::move(*frame));
  }
  EXPECT_THAT(frames, testing::ElementsAre(ping("one"), ping(std::string(max_payload, 'x')), ping("")));
}

TEST(FrameReader, a_flipped_bit_anywhere_loses_that_frame_only) {
  const std::string good = bytes_of(ping("good"));
  const std::string victim = bytes_of(ping("victim"));
  for (std::size_t bit = 0; bit < victim.size() * 8; ++bit) {
    std::string damaged = victim;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    FrameReader reader;
    reader.feed(damaged + good + good);
    EXPECT_THAT(read_all(reader), testing::ElementsAre(ping("good"), ping("good"))) << "bit " << bit;
  }
}

TEST(FrameReader, random_bytes_make_no_frame_and_hide_none) {
  std::mt19937 random(7);
  FrameReader reader;
  for (int round = 0; round < 200; ++round) {
    std::string noise(random() % 3000, '\0');
    for (char& byte : noise) byte = static_cast<char>(random() % 4 ? random() : 0xFE);
    reader.feed(noise);
    EXPECT_THAT(read_all(reader), testing::IsEmpty());
    reader.reset();
    reader.feed(bytes_of(ping("here")));
    EXPECT_THAT(read_all(reader), testing::ElementsAre(ping("here")));
  }
}

TEST(FrameReader, counts_what_it_skips) {
  FrameReader reader;
  std::string damaged = bytes_of(ping("abc"));
  damaged.back() ^= 1;
  reader.feed("noise" + damaged);
  EXPECT_THAT(read_all(reader), testing::IsEmpty());
  EXPECT_EQ(reader.damaged_frames(), 1u);
  EXPECT_EQ(reader.skipped_bytes(), 5 + damaged.size());
}

TEST(FrameReader, reset_forgets_a_half_read_frame) {
  FrameReader reader;
  reader.feed(bytes_of(ping("never whole")).substr(0, 35));
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.partial());
  reader.reset();
  EXPECT_FALSE(reader.partial());
  reader.feed(bytes_of(ping("next")));
  EXPECT_THAT(read_all(reader), testing::ElementsAre(ping("next")));
}

TEST(AppendMessage, splits_what_is_longer_than_a_frame) {
  std::string message;
  for (std::size_t i = 0; i < 2 * max_payload + 5; ++i) message.push_back(static_cast<char>(i));
  std::string bytes;
  append_message(bytes, FrameType::job, 3, 9, message);
  FrameReader reader;
  reader.feed(bytes);
  const auto frames = read_all(reader);
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_TRUE(frames[0].more && frames[1].more && !frames[2].more);
  EXPECT_EQ(frames[0].payload + frames[1].payload + frames[2].payload, message);
  EXPECT_EQ(frames[2].job, 3u);
}

TEST(AppendMessage, an_empty_message_is_one_empty_frame) {
  std::string bytes;
  append_message(bytes, FrameType::cancel, 3, 9, "");
  FrameReader reader;
  reader.feed(bytes);
  EXPECT_THAT(read_all(reader), testing::ElementsAre(Frame{FrameType::cancel, false, 3, 9, ""}));
}

}  // namespace
}  // namespace pbotvm::protocol

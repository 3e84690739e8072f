// SPDX-License-Identifier: MIT
#include "machine/frame_session.h"

#include <gtest/gtest.h>
#include <poll.h>

#include "pbotvm/error.h"
#include "scripted_guest.h"

namespace pbotvm::machine {
namespace {

using protocol::FrameType;
using test::make_job;
using test::ScriptedGuest;
using test::SocketPair;

class SessionTest : public testing::Test {
 protected:
  SessionTest() : session_(std::move(pair_.host), "a socket pair"), guest_(std::move(pair_.guest)) {}

  void open() {
    session_.hello({{"sh"}});
    session_.pump();
    guest_.welcome();
    const auto events = pump();
    ASSERT_EQ(events.size(), 1u);
    ASSERT_TRUE(std::holds_alternative<Session::Welcomed>(events[0]));
  }

  // What happens once the session's end becomes readable.
  std::vector<Session::Event> pump() {
    pollfd fd{session_.fd(), POLLIN, 0};
    ::poll(&fd, 1, 5000);
    auto events = session_.pump();
    session_.check();
    return events;
  }

  // Everything that the guest sent before the answer to a ping, which comes in order behind it.
  std::vector<Session::Event> pump_all() {
    session_.ping("sync");
    guest_.send(FrameType::pong, 0, guest_.nonce(), "sync");
    std::vector<Session::Event> all;
    for (;;) {
      for (auto& event : pump()) {
        if (std::holds_alternative<Session::Ponged>(event)) return all;
        all.push_back(std::move(event));
      }
    }
  }

  SocketPair pair_;
  FrameSession session_;
  ScriptedGuest guest_;
};

std::string printed(const Result& result) {
  std::string text;
  for (const auto& chunk : result.output) text += chunk.bytes;
  return text;
}

TEST_F(SessionTest, CarriesAJobAndItsResult) {
  open();
  auto job = make_job();
  job.files.push_back({"prog.sh", std::string(100'000, 'x'), 0644});
  job.input = "typed";
  session_.start_job(7, job, {});
  session_.pump();
  const auto announced = protocol::decode_job(guest_.expect(FrameType::job).payload);
  EXPECT_EQ(announced.file_sizes, std::vector<std::uint64_t>{100'000});
  std::string content;
  while (content.size() < 100'000) content += protocol::decode_file_piece(guest_.expect(FrameType::file).payload).bytes;
  EXPECT_EQ(content, job.files[0].content);
  EXPECT_EQ(guest_.expect(FrameType::input).payload, "typed");
  EXPECT_EQ(guest_.expect(FrameType::input).payload, "");

  guest_.output(7, "hel");
  guest_.output(7, "lo");
  guest_.finish(7);
  const auto events = pump_all();
  ASSERT_EQ(events.size(), 2u);
  const auto& ended = std::get<Session::Ended>(events[0]);
  EXPECT_EQ(ended.job, 7u);
  EXPECT_EQ(printed(ended.result), "hello");
  EXPECT_TRUE(std::get<Session::Cleaned>(events[1]).clean.proven);
}

TEST_F(SessionTest, NeverTakesAFrameOfAnEarlierConversationForThisOnes) {
  open();
  const auto old_nonce = guest_.nonce();
  session_.start_job(1, make_job(), {});
  session_.pump();
  open();  // say, after a revert
  session_.start_job(1, make_job(), {});
  session_.pump();
  guest_.expect(FrameType::job);
  guest_.send(FrameType::output, 1, old_nonce, protocol::encode_output(0, Stream::out, "SECRET"));
  guest_.send(FrameType::result, 1, old_nonce, protocol::encode(protocol::Ending{}));
  guest_.output(1, "mine");
  guest_.finish(1);
  const auto events = pump_all();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(printed(std::get<Session::Ended>(events[0]).result), "mine");
}

TEST_F(SessionTest, NeverTakesALateFrameOfAnAbandonedJobForTheNextOnes) {
  open();
  session_.start_job(1, make_job(), {});
  session_.pump();
  guest_.output(1, "partial");
  pump();
  EXPECT_EQ(printed(session_.abandon(1)), "partial");
  session_.start_job(2, make_job(), {});
  session_.pump();
  guest_.output(1, "SECRET");
  guest_.finish(1);
  guest_.output(2, "mine");
  guest_.finish(2);
  const auto events = pump_all();
  ASSERT_EQ(events.size(), 2u);
  const auto& ended = std::get<Session::Ended>(events[0]);
  EXPECT_EQ(ended.job, 2u);
  EXPECT_EQ(printed(ended.result), "mine");
}

TEST_F(SessionTest, SkipsGarbageAndDamagedFrames) {
  open();
  session_.start_job(1, make_job(), {});
  session_.pump();
  std::string damaged;
  protocol::append_message(damaged, FrameType::output, 1, guest_.nonce(),
                           protocol::encode_output(0, Stream::out, "bad"));
  damaged.back() ^= 1;
  guest_.send_raw("noise\xFEPV" + damaged + "more noise");
  guest_.output(1, "good");
  guest_.finish(1);
  const auto events = pump_all();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(printed(std::get<Session::Ended>(events[0]).result), "good");
}

TEST_F(SessionTest, RefusesMoreOutputThanTheJobWasAllowed) {
  open();
  session_.start_job(1, make_job(), {});
  session_.pump();
  guest_.output(1, std::string(2000, 'y'));
  EXPECT_THROW(pump(), Error);
}

TEST_F(SessionTest, RefusesOutputAfterTheResult) {
  open();
  session_.start_job(1, make_job(), {});
  session_.pump();
  guest_.send(FrameType::result, 1, guest_.nonce(), protocol::encode(protocol::Ending{}));
  guest_.output(1, "late");
  EXPECT_THROW(
      {
        pump();
        pump();
      },
      Error);
}

TEST_F(SessionTest, RefusesAMessageThatIsNone) {
  open();
  session_.start_job(1, make_job(), {});
  session_.pump();
  guest_.send(FrameType::result, 1, guest_.nonce(), "{\"limit\":[]}");
  EXPECT_THROW(pump(), Error);
}

TEST_F(SessionTest, SendsInputOnlyWithinTheGuestsCredit) {
  open();
  auto job = make_job();
  job.input = std::string(protocol::initial_input_credit + 10, 'i');
  session_.start_job(1, job, {});
  session_.pump();
  std::size_t got = 0;
  while (got < protocol::initial_input_credit) got += guest_.expect(FrameType::input).payload.size();
  EXPECT_EQ(got, protocol::initial_input_credit);
  guest_.send(FrameType::credit, 1, guest_.nonce(), protocol::encode_credit(100));
  pump();
  EXPECT_EQ(guest_.expect(FrameType::input).payload.size(), 10u);
  EXPECT_EQ(guest_.expect(FrameType::input).payload.size(), 0u);
}

TEST_F(SessionTest, TellsWhatCameBeforeTheLineBroke) {
  open();
  session_.start_job(1, make_job(), {});
  session_.pump();
  guest_.output(1, "whole");
  guest_.finish(1);
  guest_.close();
  const auto events = session_.pump();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(printed(std::get<Session::Ended>(events[0]).result), "whole");
  EXPECT_THROW(session_.check(), Error);
}

TEST_F(SessionTest, EndsAConversationThatIsFloodedWithDamagedFrames) {
  open();
  // A whole header that promises a full payload, again and again: each one costs a checksum over what follows.
  std::string frame;
  protocol::append_message(frame, FrameType::output, 1, guest_.nonce(), std::string(protocol::max_payload, 'x'));
  const std::string header = frame.substr(0, protocol::header_size);
  std::string flood;
  while (flood.size() < 120'000) flood += header;
  EXPECT_THROW(
      for (int i = 0; i < 200; ++i) {
        guest_.send_raw(flood);
        pump();
      },
      Error);
}

TEST_F(SessionTest, SaysWhenTheLineWasClosed) {
  open();
  guest_.close();
  try {
    pump();
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::unavailable);
  }
}

}  // namespace
}  // namespace pbotvm::machine

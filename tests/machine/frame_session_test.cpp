// SPDX-License-Identifier: MIT
#include "machine/frame_session.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <functional>
#include <map>

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

// What a guest may not say of a job, by what it says. Each is sent after the job was begun.
struct Fault {
  const char* name;
  std::function<void(ScriptedGuest&)> send;
};

protocol::Collected files(std::initializer_list<std::pair<std::string, std::uint64_t>> list) {
  protocol::Collected collected;
  for (const auto& [path, size] : list) {
    collected.files.push_back({path, "", 0644});
    collected.sizes.push_back(size);
  }
  return collected;
}

const Fault faults[] = {
    {"more output than it was allowed", [](auto& guest) { guest.output(1, std::string(2000, 'y')); }},
    {"output after the result",
     [](auto& guest) {
       guest.result(1);
       guest.output(1, "late");
     }},
    {"output without a byte",
     [](auto& guest) { guest.send(FrameType::output, 1, guest.nonce(), protocol::encode_output(0, Stream::out, "")); }},
    {"output of a step that there is not",
     [](auto& guest) {
       guest.send(FrameType::output, 1, guest.nonce(), protocol::encode_output(1, Stream::out, "x"));
     }},
    {"a step that there is not", [](auto& guest) { guest.step(1, 1); }},
    {"a step twice",
     [](auto& guest) {
       guest.step(1);
       guest.step(1);
     }},
    {"a result that is none", [](auto& guest) { guest.send(FrameType::result, 1, guest.nonce(), R"({"limit":[]})"); }},
    {"a second result",
     [](auto& guest) {
       guest.result(1);
       guest.result(1);
     }},
    {"clean before the result", [](auto& guest) { guest.clean(1); }},
    {"a credit that is none", [](auto& guest) { guest.send(FrameType::credit, 1, guest.nonce(), "12345"); }},
    {"a message that grows for ever",
     [](auto& guest) {
       protocol::Frame frame{FrameType::step, true, 1, guest.nonce(), std::string(protocol::max_payload, ' ')};
       for (int i = 0; i < 3; ++i) {
         std::string bytes;
         protocol::append_frame(bytes, frame);
         guest.send_raw(bytes);
       }
     }},
    {"empty pieces of a message",
     [](auto& guest) {
       std::string bytes;
       protocol::append_frame(bytes, {FrameType::step, true, 1, guest.nonce(), ""});
       guest.send_raw(bytes);
     }},
    {"more files than were asked for",
     [](auto& guest) {
       guest.collected(1, files({{"a", 1}, {"b", 1}, {"c", 1}}));
     }},
    {"more bytes of files than were asked for",
     [](auto& guest) {
       guest.collected(1, files({{"a", 101}}));
     }},
    {"a path twice",
     [](auto& guest) {
       guest.collected(1, files({{"a", 1}, {"a", 1}}));
     }},
    {"a path that leads out",
     [](auto& guest) {
       guest.collected(1, files({{"../a", 1}}));
     }},
    {"files twice",
     [](auto& guest) {
       guest.collected(1, files({{"a", 0}}));
       guest.collected(1, files({{"a", 0}}));
     }},
    {"a file before it was announced", [](auto& guest) { guest.file(1, 0, "x"); }},
    {"another file than the one that is due",
     [](auto& guest) {
       guest.collected(1, files({{"a", 2}, {"b", 2}}));
       guest.file(1, 1, "x");
     }},
    {"more of a file than its size",
     [](auto& guest) {
       guest.collected(1, files({{"a", 2}}));
       guest.file(1, 0, "xyz");
     }},
    {"a piece without a byte",
     [](auto& guest) {
       guest.collected(1, files({{"a", 2}}));
       guest.file(1, 0, "");
     }},
    {"a file after the last one",
     [](auto& guest) {
       guest.collected(1, files({{"a", 2}}));
       guest.file(1, 0, "xy");
       guest.file(1, 0, "z");
     }},
    {"files after the result",
     [](auto& guest) {
       guest.result(1);
       guest.collected(1, files({}));
     }},
};

TEST_F(SessionTest, EndsAJobOfWhichTheGuestSaysWhatItMustNotAndNoOther) {
  for (const auto& fault : faults) {
    SCOPED_TRACE(fault.name);
    open();
    auto job = make_job();
    job.collection = {{"*"}, 2, 100};
    session_.start_job(1, job, {});
    session_.start_job(2, make_job(), {});
    session_.pump();
    fault.send(guest_);
    guest_.output(2, "well");
    guest_.finish(2);
    const auto events = pump_all();
    const auto faulted = std::find_if(events.begin(), events.end(), [](const auto& event) {
      return std::holds_alternative<Session::Faulted>(event);
    });
    ASSERT_NE(faulted, events.end());
    EXPECT_EQ(std::get<Session::Faulted>(*faulted).job, 1u);
    ASSERT_GE(events.size(), 3u);
    const auto& ended = std::get<Session::Ended>(events[events.size() - 2]);
    EXPECT_EQ(ended.job, 2u);
    EXPECT_EQ(printed(ended.result), "well");
  }
}

TEST_F(SessionTest, TakesNoFilesThatWereNotAskedFor) {
  open();
  session_.start_job(1, make_job(), {});
  session_.pump();
  guest_.collected(1, files({}));
  EXPECT_TRUE(std::holds_alternative<Session::Faulted>(pump_all().at(0)));
}

TEST_F(SessionTest, TakesFilesBackAndGivesCreditForTheirBytes) {
  open();
  auto job = make_job();
  job.collection = {{"**"}, 0, 0};
  session_.start_job(1, job, {});
  session_.pump();
  const std::string large = std::string(200'000, 'l') + '\0';
  auto announced = files({{"a/large", large.size()}, {"empty", 0}, {"small", 2}});
  announced.files[2].mode = 0755;
  announced.left_behind.push_back({"link", "not a regular file"});
  guest_.step(1);
  guest_.collected(1, announced);
  for (std::size_t at = 0; at < large.size(); at += 30'000) {
    guest_.file(1, 0, large.substr(at, 30'000));
    pump();
  }
  EXPECT_GE(protocol::decode_credit(guest_.expect(FrameType::credit).payload), 128u * 1024);
  guest_.file(1, 2, "me");
  guest_.result(1);
  const auto events = pump_all();
  const auto& result = std::get<Session::Ended>(events.at(0)).result;
  ASSERT_EQ(result.files.size(), 3u);
  EXPECT_EQ(result.files[0].path, "a/large");
  EXPECT_EQ(result.files[0].content, large);
  EXPECT_EQ(result.files[1].content, "");
  EXPECT_EQ(result.files[2].content, "me");
  EXPECT_EQ(result.files[2].mode, 0755u);
  EXPECT_TRUE(result.collected);
  ASSERT_EQ(result.left_behind.size(), 1u);
  EXPECT_EQ(result.left_behind[0].path, "link");
}

TEST_F(SessionTest, HalfAFileIsNone) {
  open();
  auto job = make_job();
  job.collection = {{"*"}, 0, 0};
  session_.start_job(1, job, {});
  session_.pump();
  guest_.collected(1, files({{"whole", 3}, {"half", 3}}));
  guest_.file(1, 0, "abc");
  guest_.file(1, 1, "a");
  guest_.result(1, Limit::cancelled);
  const auto events = pump_all();
  const auto& result = std::get<Session::Ended>(events.at(0)).result;
  ASSERT_EQ(result.files.size(), 1u);
  EXPECT_EQ(result.files[0].path, "whole");
  EXPECT_FALSE(result.collected);
  ASSERT_EQ(result.left_behind.size(), 1u);
  EXPECT_EQ(result.left_behind[0].path, "half");
}

TEST_F(SessionTest, KeepsWhatEachStepSays) {
  open();
  session_.start_job(1, make_job(), {});
  session_.pump();
  StepResult step;
  step.limit = Limit::file_size;
  step.bytes_cut = 12;
  guest_.send(FrameType::step, 1, guest_.nonce(), protocol::encode(step));
  protocol::Ending ending;
  ending.limit = Limit::output;
  ending.bytes_cut = 34;
  guest_.send(FrameType::result, 1, guest_.nonce(), protocol::encode(ending));
  const auto events = pump_all();
  const auto& result = std::get<Session::Ended>(events.at(0)).result;
  EXPECT_EQ(result.steps.at(0).limit, Limit::file_size);
  EXPECT_EQ(result.steps.at(0).bytes_cut, 12u);
  EXPECT_EQ(result.limit, Limit::output);
  EXPECT_EQ(result.bytes_cut, 34u);
}

TEST_F(SessionTest, TellsOfProgressInOrderWhereItIsWanted) {
  open();
  session_.start_job(1, make_job(), {true, false});
  session_.start_job(2, make_job(), {});
  session_.pump();
  guest_.output(1, "one");
  guest_.output(2, "quiet");
  guest_.send(FrameType::output, 1, guest_.nonce(), protocol::encode_output(0, Stream::err, "two"));
  guest_.finish(1);
  const auto events = pump_all();
  ASSERT_EQ(events.size(), 5u);
  EXPECT_EQ(std::get<Session::Printed>(events[0]).chunk.bytes, "one");
  EXPECT_EQ(std::get<Session::Printed>(events[1]).chunk.stream, Stream::err);
  EXPECT_EQ(std::get<Session::StepEnded>(events[2]).step.label, "run");
  EXPECT_EQ(printed(std::get<Session::Ended>(events[3]).result), "onetwo");
}

TEST_F(SessionTest, KeepsTheBytesButNotTheOrderOfEndlessChangesBetweenTheStreams) {
  open();
  auto job = make_job();
  job.limits.output = 1u << 20;
  session_.start_job(1, job, {});
  session_.pump();
  constexpr int rounds = 400, pairs = 100;
  Result result;
  for (int i = 0; i < rounds; ++i) {
    std::string bytes;
    for (int j = 0; j < pairs; ++j) {
      for (const auto stream : {Stream::out, Stream::err}) {
        protocol::append_message(bytes, FrameType::output, 1, guest_.nonce(), protocol::encode_output(0, stream, "x"));
      }
    }
    guest_.send_raw(bytes);
    pump();
  }
  guest_.finish(1);
  const auto events = pump_all();
  const auto& output = std::get<Session::Ended>(events.at(0)).result.output;
  std::size_t bytes = 0;
  for (const auto& chunk : output) bytes += chunk.bytes.size();
  EXPECT_EQ(bytes, 2u * rounds * pairs);
  EXPECT_LE(output.size(), 64u * 1024);
}

TEST_F(SessionTest, StreamsInputThatComesLater) {
  open();
  auto job = make_job();
  job.input = "first";
  session_.start_job(1, job, {false, true});
  session_.pump();
  EXPECT_EQ(guest_.expect(FrameType::input).payload, "first");
  session_.add_input(1, std::string(protocol::initial_input_credit, 'i'));
  EXPECT_GT(session_.input_waiting(1), 0u);
  session_.end_input(1);
  session_.add_input(1, "behind the end");
  session_.pump();
  guest_.send(FrameType::credit, 1, guest_.nonce(), protocol::encode_credit(1000));
  pump();
  std::size_t got = 0;
  for (std::string piece; !(piece = guest_.expect(FrameType::input).payload).empty();) got += piece.size();
  EXPECT_EQ(got, protocol::initial_input_credit);
  EXPECT_EQ(session_.input_waiting(1), 0u);
}

TEST_F(SessionTest, DoesNotHoldUpASmallJobOrACancelBehindALargeFile) {
  open();
  auto large = make_job();
  large.files.push_back({"large", std::string(8u << 20, 'l'), 0644});
  session_.start_job(1, large, {});
  session_.pump();  // as much as the stream takes
  session_.start_job(2, make_job(), {});
  session_.cancel(1);
  int pieces = 0;
  bool announced = false, cancelled = false;
  while (!announced || !cancelled) {
    session_.pump();
    const auto frame = guest_.next();
    if (frame.type == FrameType::file) ++pieces;
    if (frame.type == FrameType::job && frame.job == 2) announced = true;
    if (frame.type == FrameType::cancel && frame.job == 1) cancelled = true;
    EXPECT_FALSE(cancelled && frame.type == FrameType::file);
  }
  EXPECT_LT(pieces, 64);  // of 257
}

TEST_F(SessionTest, TwoLargeJobsTakeTurns) {
  open();
  auto large = make_job();
  large.files.push_back({"large", std::string(4u << 20, 'l'), 0644});
  session_.start_job(1, large, {});
  session_.start_job(2, large, {});
  std::map<std::uint32_t, int> pieces;
  while (pieces[1] + pieces[2] < 100) {
    session_.pump();
    const auto frame = guest_.next();
    if (frame.type == FrameType::file) ++pieces[frame.job];
  }
  EXPECT_NEAR(pieces[1], pieces[2], 4);
}

TEST_F(SessionTest, CancelsAJobThatTheGuestHasNotHeardOfYet) {
  open();
  auto large = make_job();
  large.files.push_back({"large", std::string(1u << 20, 'l'), 0644});
  session_.start_job(1, large, {});
  session_.pump();
  session_.start_job(2, large, {});
  session_.cancel(2);
  std::vector<FrameType> of_second;
  for (int of_first = 0; of_first < 33;) {
    session_.pump();
    const auto frame = guest_.next();
    if (frame.job == 2) of_second.push_back(frame.type);
    if (frame.job == 1 && frame.type == FrameType::file) ++of_first;
  }
  EXPECT_EQ(of_second, (std::vector<FrameType>{FrameType::job, FrameType::cancel}));
}

TEST_F(SessionTest, FinishesAFrameThatIsOnItsWayBeforeANewHello) {
  open();
  auto large = make_job();
  large.files.push_back({"large", std::string(4u << 20, 'l'), 0644});
  session_.start_job(1, large, {});
  session_.pump();  // the stream is full in the middle of a frame
  ASSERT_TRUE(session_.wants_to_write());
  session_.hello({});
  while (session_.wants_to_write()) {
    session_.pump();
    const auto frame = guest_.next();
    if (frame.type == FrameType::hello) break;
  }
  EXPECT_EQ(guest_.damaged_frames(), 0u);
}

TEST_F(SessionTest, EndsAConversationThatIsFloodedWithFramesOfNoJob) {
  open();
  std::string flood;
  for (int i = 0; i < 2000; ++i) {
    protocol::append_message(flood, FrameType::credit, 99, guest_.nonce(), protocol::encode_credit(1));
  }
  EXPECT_THROW(
      for (int i = 0; i < 100; ++i) {
        guest_.send_raw(flood);
        pump();
      },
      Error);
}

TEST_F(SessionTest, AnswersTheGuestsPing) {
  open();
  guest_.send(FrameType::ping, 0, guest_.nonce(), "there?");
  pump_all();
  EXPECT_EQ(guest_.expect(FrameType::pong).payload, "there?");
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

// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>

#include "guest_process.h"

namespace pbotvm::guest_test {
namespace {

using protocol::Frame;
using protocol::FrameType;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

std::string encoded(const Frame& frame) {
  std::string bytes;
  protocol::append_frame(bytes, frame);
  return bytes;
}

TEST(GuestConversation, a_hello_is_answered_with_version_containment_and_the_tools_there_are) {
  Guest guest;
  Client client = guest.connect();
  const auto welcome = client.hello({"sh", "no-such-tool", "/bin/sh"});
  EXPECT_EQ(welcome.version, PBOTVM_VERSION);
  EXPECT_EQ(welcome.slots, 1u);
  EXPECT_THAT(welcome.tools, ElementsAre("sh", "/bin/sh"));
  std::vector<std::string> names;
  for (const auto& piece : welcome.containment) {
    names.push_back(piece.name);
    EXPECT_EQ(piece.given, piece.why.empty()) << piece.name;
  }
  EXPECT_THAT(names, testing::IsSupersetOf(
                         {"namespaces", "cgroup", "memory", "processes", "user", "clock", "entropy", "priority"}));
}

TEST(GuestConversation, frames_of_no_or_another_conversation_are_passed_over_in_silence) {
  Guest guest;
  Client client = guest.connect();
  client.send(FrameType::ping, 0, "before any hello");
  client.hello();
  client.send_raw(encoded({FrameType::ping, false, 0, client.nonce() + 1, "stale"}));
  client.send_raw(encoded({FrameType::job, false, 5, client.nonce() + 1, protocol::encode(shell_job("echo stale"))}));
  client.expect_pong();
}

// A program that was started anew on a line that does not tell: the host would wait for its job in vain.
TEST(GuestConversation, a_job_before_any_hello_is_refused_with_its_own_nonce) {
  Guest guest;
  Client client = guest.connect();
  client.send_raw(encoded({FrameType::job, false, 5, 4711, protocol::encode(shell_job("echo never"))}));
  const auto answer = client.next();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->type, FrameType::error);
  EXPECT_EQ(answer->job, 5u);
  EXPECT_EQ(answer->nonce, 4711u);
  EXPECT_EQ(protocol::decode_refusal(answer->payload).code, "no-conversation");
}

TEST(GuestConversation, nothing_of_an_earlier_conversation_is_ever_delivered) {
  Guest guest;
  Client client = guest.connect();
  client.hello();
  client.start(1, shell_job("echo begun; trap '' TERM; sleep 1; echo SECRET; sleep 100"));
  EXPECT_EQ(client.next_output(1), "begun\n");
  client.hello();
  client.start(1, shell_job("sleep 2; echo mine"));  // outlives the moment at which the first would have spoken
  const JobOutcome outcome = client.finish(1);
  EXPECT_EQ(outcome.out(), "mine\n");
  client.expect_pong();
}

TEST(GuestConversation, garbage_between_frames_is_skipped) {
  Guest guest;
  Client client = guest.connect();
  client.send_raw("login: \xfe\xfePVM\x01 garbage {\"lang\":\"sh\"}\n\n");
  client.hello();
  client.send_raw(std::string(5000, '\xfe') + "\xFEPVM" + std::string(40, '\0'));
  client.expect_pong();
}

TEST(GuestConversation, corrupted_and_oversized_frames_disturb_nothing) {
  Guest guest;
  Client client = guest.connect();
  client.hello();
  const std::string ping = encoded({FrameType::ping, false, 0, client.nonce(), "corrupted"});
  for (std::size_t at = 0; at < ping.size(); ++at) {
    std::string corrupted = ping;
    corrupted[at] = static_cast<char>(corrupted[at] ^ 0x40);
    client.send_raw(corrupted);
  }
  client.send_raw(encoded({FrameType::ping, false, 0, client.nonce(), std::string(protocol::max_payload + 1, 'x')}));
  client.expect_pong();
}

TEST(GuestConversation, a_half_sent_frame_is_dropped_after_an_idle_time) {
  Guest guest;
  Client client = guest.connect();
  client.hello();
  const std::string ping = encoded({FrameType::ping, false, 0, client.nonce(), std::string(1000, 'x')});
  client.send_raw(std::string_view(ping).substr(0, 100));
  EXPECT_FALSE(client.next(6s));  // the guest waits 2 s
  client.expect_pong();           // its bytes would have filled the half frame
}

TEST(GuestConversation, a_bad_message_is_refused_and_disturbs_nothing) {
  Guest guest;
  Client client = guest.connect();
  client.hello();
  client.start(1, shell_job("read line; echo $line"), false);
  const std::pair<const char*, const char*> bad[] = {
      {"{", "not JSON"},
      {R"({"steps":[]})", "steps: none"},
      {R"({"files":[{"path":"../../etc/x"}],"steps":[{"argv":["true"]}]})", "path"},
      {R"({"files":[{"path":"/etc/x"}],"steps":[{"argv":["true"]}]})", "absolute"},
      {R"({"steps":[{"argv":"rm"}]})", "argv"},
  };
  for (const auto& [text, complaint] : bad) {
    client.send(FrameType::job, 2, text);
    const JobOutcome refused = client.finish(2);
    ASSERT_TRUE(refused.refusal) << text;
    EXPECT_EQ(refused.refusal->code, "bad-message");
    EXPECT_THAT(refused.refusal->text, HasSubstr(complaint));
  }
  client.send(FrameType::input, 1, "undisturbed\n");
  client.send(FrameType::input, 1, "");
  EXPECT_EQ(client.finish(1).out(), "undisturbed\n");
}

TEST(GuestConversation, a_second_job_finds_no_slot_and_a_number_is_not_used_twice) {
  Guest guest;
  Client client = guest.connect();
  client.hello();
  client.start(1, shell_job("read line; echo $line"), false);
  client.start(2, shell_job("echo second"), false);
  EXPECT_EQ(client.finish(2).refusal.value().code, "busy");
  client.send(FrameType::job, 1, protocol::encode(shell_job("echo again")));
  EXPECT_EQ(client.finish(1).refusal.value().code, "bad-job");
  client.send(FrameType::input, 1, "first\n");
  EXPECT_EQ(client.finish(1).out(), "first\n");
}

TEST(GuestConversation, a_file_that_is_longer_than_announced_ends_the_job) {
  Guest guest;
  Client client = guest.connect();
  client.hello();
  Job job = shell_job("echo hello");
  client.send(FrameType::job, 1, protocol::encode(job));
  client.send(FrameType::file, 1, protocol::encode_file_piece(0, job.files[0].content + "more"));
  EXPECT_EQ(client.finish(1).refusal.value().code, "bad-message");
  EXPECT_EQ(client.run(job).out(), "hello\n");
}

TEST(GuestConversation, a_job_whose_announcement_spans_frames_arrives) {
  Guest guest;
  Client client = guest.connect();
  client.hello();
  Job job = shell_job("echo ${#LONG}");
  job.steps[0].environment = {{"LONG", std::string(100'000, 'x')}};
  EXPECT_EQ(client.run(job).out(), "100000\n");
}

TEST(GuestConversation, lines_are_independent) {
  Guest guest;
  Client one = guest.connect(), two = guest.connect();
  one.hello();
  two.hello();
  one.start(1, shell_job("read line; echo $line"), false);
  two.hello();
  two.disconnect();
  one.send(FrameType::input, 1, "still mine\n");
  EXPECT_EQ(one.finish(1).out(), "still mine\n");
}

TEST(GuestConversation, a_closed_line_ends_its_jobs_and_frees_the_slot) {
  Guest guest;
  const std::string marker = "41" + std::to_string(getpid());
  {
    Client client = guest.connect();
    client.hello();
    client.start(1, shell_job("echo begun; sleep " + marker));
    client.next_output(1);
  }
  Client client = guest.connect();
  client.hello();
  EXPECT_EQ(client.run(shell_job("echo next")).out(), "next\n");
  EXPECT_TRUE(goes_away("sleep" + std::string(1, '\0') + marker));
}

TEST(GuestHeartbeat, beats_at_once_and_answers_a_line_with_figures) {
  Guest guest;
  auto line = guest.heartbeat();
  EXPECT_EQ(line.read(patience), "\n");
  line.write("\n");
  std::string figures;
  while (figures.find(":END\n") == std::string::npos) figures += line.read(patience).value();
  EXPECT_THAT(figures, HasSubstr("uptime "));
  EXPECT_THAT(figures, HasSubstr("memory_available_kb "));
  EXPECT_THAT(figures, HasSubstr("slots_used 0\n"));
  EXPECT_THAT(figures, HasSubstr("at_rest "));
}

TEST(GuestHeartbeat, goes_on_every_five_seconds_while_a_job_is_busy) {
  Guest guest;
  Client client = guest.connect();
  client.hello();
  client.start(1, shell_job("while :; do echo x; done"));
  const auto begin =
      std::chrono::steady_clock::now();  // before the first: the second may only come later than it should
  auto line = guest.heartbeat();
  EXPECT_EQ(line.read(patience), "\n");
  EXPECT_EQ(line.read(patience), "\n");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 4s);
}

}  // namespace
}  // namespace pbotvm::guest_test

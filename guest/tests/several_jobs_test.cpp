// SPDX-License-Identifier: MIT
// Several jobs at one time on one line: each has its own place, its own input and end, and a fair share of the line.

#include <gmock/gmock.h>
#include <unistd.h>

#include "guest_process.h"

namespace pbotvm::guest_test {
namespace {

using protocol::FrameType;

class GuestSlots : public testing::Test {
 protected:
  // Without namespaces a guest keeps several jobs apart by running one at a time.
  void open(std::uint32_t slots) {
    if (client.hello({}, slots).slots < slots) GTEST_SKIP() << "no namespaces here";
  }
  Guest guest;
  Client client = guest.connect();
};

std::string id_text(std::uint32_t id) {
  return "." + std::to_string(id);
}

Job echo_job() {
  return shell_job("read line; echo $line; test -e left || echo x > left; ls");
}

Job flood_job() {
  Job job = shell_job("exec yes 'a line of a job that floods'");
  job.limits.output = 1 << 30;
  job.limits.wall = job.limits.cpu = std::chrono::seconds(60);
  return job;
}

TEST_F(GuestSlots, as_many_jobs_as_slots_run_at_one_time_and_one_more_is_refused) {
  open(4);
  if (IsSkipped()) return;
  std::map<std::uint32_t, JobOutcome> outcomes;
  for (std::uint32_t id = 1; id <= 4; ++id) {
    client.start(id, echo_job(), false);
    outcomes[id];
  }
  client.start(5, echo_job(), false);
  EXPECT_EQ(client.finish(5).refusal.value().code, "busy");
  for (const std::uint32_t id : {3u, 1u, 4u, 2u}) {
    client.send(FrameType::input, id, "of " + std::to_string(id) + "\n");
  }
  client.finish_all(outcomes);
  for (const auto& [id, outcome] : outcomes) {
    EXPECT_EQ(outcome.out(), "of " + std::to_string(id) + "\nleft\nprog.sh\n");
    EXPECT_TRUE(outcome.clean.value().proven || !outcome.clean.value().why.empty());
  }
}

TEST_F(GuestSlots, a_slot_is_free_again_after_clean) {
  open(2);
  if (IsSkipped()) return;
  client.start(1, shell_job("read line"), false);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(client.run(shell_job("echo again")).out(), "again\n");
  client.send(FrameType::input, 1, "");
  EXPECT_TRUE(client.finish(1).clean);
}

TEST_F(GuestSlots, the_last_hello_says_how_many_and_no_more_than_the_bound) {
  open(3);
  if (IsSkipped()) return;
  Client other = guest.connect();
  EXPECT_EQ(other.hello({}, 1).slots, 1u);
  EXPECT_EQ(other.hello({}, protocol::max_slots).slots, protocol::max_slots);
  EXPECT_EQ(other.run(shell_job("echo other")).out(), "other\n");
  EXPECT_EQ(client.run(shell_job("echo first")).out(), "first\n");
}

TEST_F(GuestSlots, more_slots_than_sandboxes_made_ahead_are_served_all_the_same) {
  open(12);
  if (IsSkipped()) return;
  std::map<std::uint32_t, JobOutcome> outcomes;
  for (std::uint32_t id = 1; id <= 12; ++id) {
    client.start(id, shell_job("echo " + std::to_string(id)));
    outcomes[id];
  }
  client.finish_all(outcomes);
  for (const auto& [id, outcome] : outcomes) EXPECT_EQ(outcome.out(), std::to_string(id) + "\n");
}

TEST_F(GuestSlots, cancelling_one_leaves_the_others_alone) {
  open(3);
  if (IsSkipped()) return;
  const std::string marker = "52" + std::to_string(getpid());
  std::map<std::uint32_t, JobOutcome> outcomes = {{1, {}}, {3, {}}};
  for (std::uint32_t id = 1; id <= 3; ++id)
    client.start(id, shell_job("sleep " + marker + id_text(id) + " & read line; echo $line"), false);
  client.send(FrameType::cancel, 2, "");
  EXPECT_EQ(client.finish(2).ending.value().limit, Limit::cancelled);
  EXPECT_TRUE(goes_away(marker + id_text(2)));
  for (const std::uint32_t id : {1u, 3u}) client.send(FrameType::input, id, "undisturbed\n");
  client.finish_all(outcomes);
  for (const auto& [id, outcome] : outcomes) {
    EXPECT_EQ(outcome.out(), "undisturbed\n") << id;
    EXPECT_EQ(outcome.ending.value().limit, Limit::none);
  }
}

TEST_F(GuestSlots, a_job_that_floods_does_not_hold_up_anothers_answer) {
  open(3);
  if (IsSkipped()) return;
  client.start(1, flood_job());
  client.start(2, flood_job());
  // Their output is credited all the time. What comes of them between another's start and its end is bounded by what
  // they may have on the line, and by what they print while that job runs.
  std::map<std::uint32_t, std::size_t> flooded;
  const auto count = [&](const protocol::Frame& frame) {
    const auto size = frame.payload.size() - 5;
    flooded[frame.job] += size;
    client.send(FrameType::credit, frame.job, protocol::encode_credit(static_cast<std::uint32_t>(size)));
  };
  while (flooded[1] == 0 || flooded[2] == 0) count(client.next().value());
  flooded.clear();  // how much earlier one of them began does not count
  while (flooded[1] < 1'000'000 || flooded[2] < 1'000'000) count(client.next().value());
  for (std::uint32_t id = 10; id < 20; ++id) {
    client.start(id, shell_job("echo quick"));
    std::string out;
    for (bool clean = false; !clean;) {
      const auto frame = client.next();
      ASSERT_TRUE(frame);
      clean = frame->job == id && frame->type == FrameType::clean;
      if (frame->type != FrameType::output) continue;
      if (frame->job == id) out += protocol::decode_output(frame->payload).bytes;
      if (frame->job < 10) count(*frame);
    }
    EXPECT_EQ(out, "quick\n");
  }
  // Neither of the two has the line for itself.
  EXPECT_LT(flooded[1], 10 * flooded[2]);
  EXPECT_LT(flooded[2], 10 * flooded[1]);
}

TEST_F(GuestSlots, a_job_without_credit_does_not_keep_others_from_printing) {
  open(2);
  if (IsSkipped()) return;
  client.start(1, flood_job());
  std::size_t bytes = 0;
  while (bytes < protocol::initial_output_credit) bytes += client.next_output(1).size();
  Job job = shell_job("head -c 1000000 /dev/zero");
  job.limits.output = 1 << 20;
  EXPECT_EQ(client.run(job).out().size(), 1'000'000u);
  client.send(FrameType::cancel, 1, "");
  EXPECT_EQ(client.finish(1).ending.value().limit, Limit::cancelled);
}

TEST_F(GuestSlots, input_that_nobody_reads_is_taken_and_holds_up_nothing) {
  open(2);
  if (IsSkipped()) return;
  client.start(1, shell_job("exec 0<&-; echo closed; sleep 100"), false);
  EXPECT_EQ(client.next_output(1), "closed\n");
  std::size_t credit = protocol::initial_input_credit, sent = 0;
  while (sent < 2'000'000) {
    const std::size_t size = std::min(credit, protocol::max_payload);
    if (size > 0) {
      client.send(FrameType::input, 1, std::string(size, 'x'));
      credit -= size;
      sent += size;
      continue;
    }
    const auto frame = client.next();
    ASSERT_TRUE(frame);
    ASSERT_EQ(frame->type, FrameType::credit);
    credit += protocol::decode_credit(frame->payload);
  }
  client.send(FrameType::cancel, 1, "");
  EXPECT_EQ(client.finish(1).ending.value().limit, Limit::cancelled);
}

TEST_F(GuestSlots, input_is_streamed_to_each_of_several_jobs) {
  open(3);
  if (IsSkipped()) return;
  for (std::uint32_t id = 1; id <= 3; ++id) {
    client.start(id, shell_job("while read line; do echo got $line; done; echo end"), false);
  }
  for (int round = 0; round < 5; ++round) {
    for (std::uint32_t id = 1; id <= 3; ++id) {
      client.send(FrameType::input, id, id_text(id) + "\n");
      EXPECT_EQ(client.next_output(id), "got " + id_text(id) + "\n");
    }
  }
  std::map<std::uint32_t, JobOutcome> outcomes = {{1, {}}, {2, {}}, {3, {}}};
  for (std::uint32_t id = 1; id <= 3; ++id) client.send(FrameType::input, id, "");
  client.finish_all(outcomes);
  for (const auto& [id, outcome] : outcomes) EXPECT_EQ(outcome.out(), "end\n");
}

}  // namespace
}  // namespace pbotvm::guest_test

// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>

#include <fstream>

#include "guest_process.h"

namespace pbotvm::guest_test {
namespace {

using protocol::FrameType;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

class GuestJobs : public testing::Test {
 protected:
  GuestJobs() { client.hello(); }
  Guest guest;
  Client client = guest.connect();
};

Step step(std::vector<std::string> argv, When when = When::after_success) {
  return {"", std::move(argv), {}, false, when};
}

TEST_F(GuestJobs, output_exit_code_and_proof_come_back) {
  const JobOutcome outcome = client.run(shell_job("echo out; echo err >&2; exit 3"));
  EXPECT_EQ(outcome.out(), "out\n");
  EXPECT_EQ(outcome.err(), "err\n");
  ASSERT_EQ(outcome.steps.size(), 1u);
  EXPECT_EQ(outcome.steps[0].label, "run");
  EXPECT_EQ(outcome.steps[0].exit_code, 3);
  EXPECT_EQ(outcome.steps[0].signal, 0);
  EXPECT_GT(outcome.steps[0].wall.count(), 0);
  EXPECT_GT(outcome.steps[0].peak_memory, 0u);
  EXPECT_EQ(outcome.ending.value().limit, Limit::none);
  EXPECT_EQ(outcome.ending.value().error, "");
}

TEST_F(GuestJobs, many_in_a_row_share_nothing) {
  for (int i = 0; i < 30; ++i) {
    const auto outcome =
        client.run(shell_job("ls; ls /tmp; echo x > left; echo x > /tmp/left 2>/dev/null; echo " + std::to_string(i)));
    EXPECT_THAT(outcome.out(), HasSubstr("prog.sh\n"));
    EXPECT_THAT(outcome.out(), HasSubstr("\n" + std::to_string(i) + "\n"));
    EXPECT_THAT(outcome.out(), Not(testing::StartsWith("left")));
  }
}

TEST_F(GuestJobs, input_is_binary_and_ends) {
  Job job = shell_job("od -An -tx1; echo end");
  job.input = std::string("\0\xff\n\xFEPVM", 7);
  EXPECT_EQ(client.run(job).out(), " 00 ff 0a fe 50 56 4d\nend\n");
}

TEST_F(GuestJobs, much_input_flows_within_its_credit) {
  client.start(1, shell_job("wc -c"), false);
  std::size_t credit = protocol::initial_input_credit, left = 1'000'000;
  while (left > 0) {
    const std::size_t size = std::min({credit, left, protocol::max_payload});
    if (size > 0) {
      client.send(FrameType::input, 1, std::string(size, 'x'));
      credit -= size;
      left -= size;
      continue;
    }
    const auto frame = client.next();
    ASSERT_TRUE(frame);
    ASSERT_EQ(frame->type, FrameType::credit);
    credit += protocol::decode_credit(frame->payload);
  }
  client.send(FrameType::input, 1, "");
  JobOutcome outcome;
  std::string out;
  while (const auto frame = client.next()) {
    if (frame->type == FrameType::output) out += protocol::decode_output(frame->payload).bytes;
    if (frame->type == FrameType::clean) break;
  }
  EXPECT_EQ(out, "1000000\n");
}

TEST_F(GuestJobs, input_beyond_its_credit_is_refused) {
  client.start(1, shell_job("sleep 100"), false);
  // More than the credit and what the pipe to the job has taken meanwhile.
  for (int i = 0; i < 7; ++i) client.send(FrameType::input, 1, std::string(protocol::max_payload, 'x'));
  EXPECT_EQ(client.finish(1).refusal.value().code, "bad-message");
  client.expect_pong();
}

TEST_F(GuestJobs, every_step_that_reads_input_gets_it_from_the_beginning) {
  Job job = shell_job("");
  job.steps = {{"", {"cat"}, {}, true, When::always},
               {"", {"cat"}, {}, false, When::always},
               {"", {"cat"}, {}, true, When::always}};
  job.input = "again\n";
  EXPECT_EQ(client.run(job).out(), "again\nagain\n");
}

TEST_F(GuestJobs, files_have_their_place_content_and_mode) {
  Job job = shell_job("cat a/b/c; echo; ./tool; wc -c < empty; stat -c %a prog.sh tool open; umask");
  job.files.push_back({"empty", "", 0600});
  job.files.push_back({"a/b/c", std::string("\0\xff", 2), 0644});
  job.files.push_back({"tool", "#!/bin/sh\necho tool runs\n", 0755});
  job.files.push_back({"open", "x", 0666});
  EXPECT_EQ(client.run(job).out(), std::string("\0\xff", 2) + "\ntool runs\n0\n644\n755\n666\n0022\n");
}

TEST_F(GuestJobs, directories_are_made_before_the_first_step) {
  Job job = shell_job("stat -c '%a %F %n' empty deep deep/er/still prog; ls deep/er");
  job.directories = {"empty", "deep/er/still", "prog"};
  job.files.push_back({"deep/er/file", "x", 0644});
  const JobOutcome outcome = client.run(job);
  EXPECT_EQ(outcome.out(),
            "755 directory empty\n755 directory deep\n755 directory deep/er/still\n755 directory prog\n"
            "file\nstill\n")
      << outcome.err() << outcome.ending.value().error;
}

TEST_F(GuestJobs, paths_may_be_as_long_as_the_system_takes_and_hold_any_text) {
  std::string longest = std::string(255, 'p');
  while (longest.size() + 256 <= 4095) longest += "/" + std::string(255, 'p');
  ASSERT_EQ(longest.size(), 4095u);
  Job job = shell_job("find . -type f -printf '%s %m\n' | sort; cat 'new\nline'; cat -- '-rf *'");
  job.files.push_back({longest, "long", 0640});
  job.files.push_back({"new\nline", "newline\n", 0644});
  job.files.push_back({"-rf *", "dashes\n", 0644});
  const JobOutcome outcome = client.run(job);
  EXPECT_THAT(outcome.out(), HasSubstr("4 640\n")) << outcome.ending.value().error;
  EXPECT_THAT(outcome.out(), HasSubstr("newline\ndashes\n"));
}

TEST_F(GuestJobs, a_file_below_another_file_is_refused_with_its_name) {
  Job job = shell_job("echo never");
  job.directories = {"prog.sh"};
  EXPECT_THAT(client.run(job).ending.value().error, HasSubstr("prog.sh"));
}

TEST_F(GuestJobs, a_large_file_arrives_whole_and_the_program_stays_small) {
  Job job = shell_job("cksum < big; wc -c < big");
  job.limits.file_size = 64 << 20;
  std::string content(8'000'000, 'a');
  for (std::size_t i = 0; i < content.size(); i += 7) content[i] = static_cast<char>(i);
  job.files.push_back({"big", content, 0644});
  const JobOutcome outcome = client.run(job);
  EXPECT_THAT(outcome.out(), HasSubstr("\n8000000\n"))
      << outcome.err() << (outcome.ending ? outcome.ending->error : "");
  EXPECT_EQ(client.run(shell_job("echo next")).out(), "next\n");
  std::ifstream status("/proc/" + std::to_string(guest.program().pid()) + "/status");
  std::string line;
  while (std::getline(status, line) && !line.starts_with("VmRSS:")) {
  }
#if !defined(__SANITIZE_ADDRESS__)
  EXPECT_LE(std::stoi(line.substr(6)), 6 * 1024) << line;
#endif
}

TEST_F(GuestJobs, steps_run_by_their_conditions) {
  Job job = shell_job("");
  job.steps = {step({"sh", "-c", "echo one"}),
               step({"sh", "-c", "echo not-crashed"}, When::after_crash),
               step({"sh", "-c", "echo two; kill -SEGV $$"}),
               step({"sh", "-c", "echo no-success"}),
               step({"sh", "-c", "echo crashed; exit 1"}, When::after_crash),
               step({"sh", "-c", "echo at-last"}, When::always)};
  const JobOutcome outcome = client.run(job);
  EXPECT_EQ(outcome.out(), "one\ntwo\ncrashed\nat-last\n");
  std::vector<std::uint32_t> ran;
  for (const auto& result : outcome.steps) ran.push_back(result.step);
  EXPECT_THAT(ran, ElementsAre(0, 2, 4, 5));
  EXPECT_EQ(outcome.steps[1].signal, SIGSEGV);
}

// In units of 512 bytes, as dash counts; each step tells its limit and crashes.
TEST_F(GuestJobs, a_step_may_leave_a_core_only_when_the_next_one_looks_at_it) {
  const std::string crash = "ulimit -c; cd /; kill -SEGV $$";
  Job job = shell_job("");
  job.steps = {step({"dash", "-c", crash}), step({"dash", "-c", "exit 0"}, When::always), step({"dash", "-c", crash}),
               step({"dash", "-c", crash}, When::after_crash), step({"dash", "-c", "ulimit -c"}, When::after_crash)};
  for (const auto& [mib, blocks] : {std::pair(64, "32768"), {256, "65536"}, {4096, "131072"}}) {
    job.limits.memory = static_cast<std::uint64_t>(mib) << 20;
    EXPECT_EQ(client.run(job).out(), std::string("0\n") + blocks + "\n" + blocks + "\n0\n") << mib << " MiB";
  }
}

TEST_F(GuestJobs, steps_share_the_directory_and_nothing_of_a_step_outlives_it) {
  Job job = shell_job("");
  job.steps = {step({"sh", "-c", "sleep 1000 & echo $! > pid; echo x > /tmp/shared-file"}),
               step({"sh", "-c",
                     "kill -0 $(cat pid) 2>/dev/null && echo alive || echo gone; rm /tmp/shared-file && echo same"})};
  EXPECT_EQ(client.run(job).out(), "gone\nsame\n");
}

TEST_F(GuestJobs, a_program_that_is_not_there_is_named) {
  Job job = shell_job("");
  job.steps = {step({"no-such-program", "x"})};
  const JobOutcome outcome = client.run(job);
  ASSERT_EQ(outcome.steps.size(), 1u);
  EXPECT_EQ(outcome.steps[0].error, "no-such-program: No such file or directory");
  EXPECT_EQ(outcome.steps[0].exit_code, 127);
  EXPECT_EQ(outcome.ending.value().error, "");
}

TEST_F(GuestJobs, files_that_cannot_be_written_are_the_jobs_error) {
  Job job = shell_job("echo never");
  job.files.push_back({"prog.sh/below", "x", 0644});
  job.files.push_back({"large", std::string(4'000'000, 'x'), 0644});  // is read and thrown away
  const JobOutcome outcome = client.run(job);
  EXPECT_THAT(outcome.ending.value().error, HasSubstr("prog.sh/below"));
  EXPECT_TRUE(outcome.steps.empty());
  EXPECT_EQ(client.run(shell_job("echo next")).out(), "next\n");
}

TEST_F(GuestJobs, the_environment_is_clean) {
  Job job = shell_job("env | sort; id -u; ulimit -c; grep -c 0000000000000000 /proc/self/status");
  job.steps[0].environment = {{"ADDED", "yes"}, {"TERM", "mine"}};
  const std::string out = client.run(job).out();
  EXPECT_THAT(out, Not(HasSubstr("PBOTVM_TEST_SECRET")));
  EXPECT_THAT(out, HasSubstr("ADDED=yes\n"));
  EXPECT_THAT(out, HasSubstr("TERM=mine\n"));
  EXPECT_THAT(out, Not(HasSubstr("TERM=dumb")));
  EXPECT_THAT(out, HasSubstr("LANG=C.UTF-8\n"));
  if (geteuid() == 0) {
    EXPECT_THAT(out, HasSubstr("\n65534\n0\n"));
  }
}

TEST_F(GuestJobs, output_stops_at_its_limit_and_the_job_is_ended) {
  Job job = shell_job("yes");
  job.limits.output = 100'001;
  const JobOutcome outcome = client.run(job);
  EXPECT_EQ(outcome.out().size(), 100'001u);
  EXPECT_EQ(outcome.ending.value().limit, Limit::output);
  EXPECT_GT(outcome.ending.value().bytes_cut, 0u);
}

TEST_F(GuestJobs, limit_and_cut_bytes_are_told_of_the_step_that_met_them) {
  Job job = shell_job("");
  job.steps = {step({"head", "-c", "1000", "/dev/zero"}), step({"head", "-c", "100000", "/dev/zero"}),
               step({"echo", "never"}, When::always)};
  job.limits.output = 50'000;
  const JobOutcome outcome = client.run(job);
  ASSERT_EQ(outcome.steps.size(), 2u);
  EXPECT_EQ(outcome.steps[0].limit, Limit::none);
  EXPECT_EQ(outcome.steps[0].bytes_cut, 0u);
  EXPECT_EQ(outcome.steps[1].limit, Limit::output);
  EXPECT_EQ(outcome.steps[1].bytes_cut, outcome.ending.value().bytes_cut);
  EXPECT_GE(outcome.steps[1].bytes_cut, 1u);
  EXPECT_EQ(outcome.out().size(), 50'000u);
}

TEST_F(GuestJobs, times_count_the_processes_that_a_step_waited_for) {
  const JobOutcome outcome = client.run(shell_job("sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'; true"));
  EXPECT_GE(outcome.steps.at(0).user + outcome.steps.at(0).system, 50ms);
}

TEST_F(GuestJobs, ten_megabytes_of_output_arrive_whole) {
  Job job = shell_job("head -c 10000000 /dev/zero; echo end >&2");
  job.limits.output = 20 << 20;
  const JobOutcome outcome = client.run(job);
  EXPECT_EQ(outcome.out().size(), 10'000'000u);
  EXPECT_EQ(outcome.err(), "end\n");
  EXPECT_EQ(outcome.ending.value().bytes_cut, 0u);
}

TEST_F(GuestJobs, output_that_just_fits_is_not_cut) {
  Job job = shell_job("head -c 50000 /dev/zero");
  job.limits.output = 50'000;
  const JobOutcome outcome = client.run(job);
  EXPECT_EQ(outcome.out().size(), 50'000u);
  EXPECT_EQ(outcome.ending.value().limit, Limit::none);
  EXPECT_EQ(outcome.ending.value().bytes_cut, 0u);
}

TEST_F(GuestJobs, output_waits_for_credit) {
  Job job = shell_job("head -c 400000 /dev/zero; echo end >&2");
  job.limits.output = 1 << 20;
  client.start(1, job);
  std::size_t bytes = 0;
  while (bytes < protocol::initial_output_credit) bytes += client.next_output(1).size();
  EXPECT_EQ(bytes, protocol::initial_output_credit);
  EXPECT_FALSE(client.next(200ms));
  client.send(FrameType::credit, 1, protocol::encode_credit(1 << 20));
  const JobOutcome rest = client.finish(1);
  // The error stream may have been read before the credit was used up.
  EXPECT_EQ(rest.out().size() + rest.err().size(), 400'004u - bytes);
}

TEST_F(GuestJobs, a_timed_out_job_keeps_what_it_printed) {
  Job job = shell_job("echo before; sleep 100; echo after");
  job.limits.wall = 3s;  // until then it has printed
  const JobOutcome outcome = client.run(job);
  EXPECT_EQ(outcome.out(), "before\n");
  EXPECT_EQ(outcome.ending.value().limit, Limit::wall);
  EXPECT_EQ(outcome.steps.size(), 1u);
}

TEST_F(GuestJobs, a_job_whose_files_never_come_times_out) {
  Job job = shell_job("echo never");
  job.limits.wall = 200ms;
  client.send(FrameType::job, 1, protocol::encode(job));
  EXPECT_EQ(client.finish(1).ending.value().limit, Limit::wall);
  EXPECT_EQ(client.run(shell_job("echo next")).out(), "next\n");
}

TEST_F(GuestJobs, processor_time_is_limited) {
  Job job = shell_job("while :; do :; done");
  job.limits.cpu = 1s;
  const JobOutcome outcome = client.run(job);
  EXPECT_EQ(outcome.ending.value().limit, Limit::cpu);
  EXPECT_EQ(outcome.steps.at(0).limit, Limit::cpu);
  EXPECT_GE(outcome.steps.at(0).user + outcome.steps.at(0).system, 500ms);  // the kernel counts by ticks
}

TEST_F(GuestJobs, file_size_is_limited) {
  Job job = shell_job("exec dd if=/dev/zero of=big bs=65536 2>/dev/null");
  job.limits.file_size = 300'000;
  EXPECT_EQ(client.run(job).ending.value().limit, Limit::file_size);
}

TEST_F(GuestJobs, a_cancelled_job_ends_with_what_it_printed) {
  client.start(1, shell_job("echo begun; sleep 100"));
  EXPECT_EQ(client.next_output(1), "begun\n");
  client.send(FrameType::cancel, 1, "");
  EXPECT_EQ(client.finish(1).ending.value().limit, Limit::cancelled);
}

TEST_F(GuestJobs, later_output_is_streamed_while_the_job_runs) {
  client.start(1, shell_job("echo one; read line; echo $line"), false);
  EXPECT_EQ(client.next_output(1), "one\n");
  client.send(FrameType::input, 1, "two\n");
  EXPECT_EQ(client.finish(1).out(), "two\n");
}

TEST_F(GuestJobs, what_is_written_in_turns_comes_in_turns) {
  client.start(1, shell_job("for i in 1 2 3; do echo o$i; read x; echo e$i >&2; read x; done"), false);
  std::string all;
  while (const auto frame = client.next()) {
    if (frame->type == FrameType::clean) break;
    if (frame->type != FrameType::output) continue;
    all += protocol::decode_output(frame->payload).bytes;
    client.send(FrameType::input, 1, "go on\n");
  }
  EXPECT_EQ(all, "o1\ne1\no2\ne2\no3\ne3\n");
}

}  // namespace
}  // namespace pbotvm::guest_test

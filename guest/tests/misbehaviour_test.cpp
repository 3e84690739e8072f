// SPDX-License-Identifier: MIT
// Code that will not end, multiplies, hides or destroys: it is ended, nothing is left of it, and the next job works.

#include <gmock/gmock.h>
#include <unistd.h>

#include "guest_process.h"

namespace pbotvm::guest_test {
namespace {

using namespace std::chrono_literals;

class GuestMisbehaviour : public testing::Test {
 protected:
  GuestMisbehaviour() { welcome = client.hello(); }

  bool given(const std::string& name) const {
    for (const auto& piece : welcome.containment) {
      if (piece.name == name) return piece.given;
    }
    return false;
  }
  // Every test's processes carry a number of their own, by which they are found.
  std::string marker() const { return "73" + std::to_string(getpid()) + "." + std::to_string(getpid() % 97); }

  JobOutcome survive(Job job) {
    const JobOutcome outcome = client.run(job);
    EXPECT_TRUE(outcome.ending);
    EXPECT_TRUE(outcome.clean);
    if (given("namespaces")) {
      EXPECT_TRUE(outcome.clean.value().proven) << outcome.clean.value().why;
    }
    EXPECT_FALSE(process_runs(marker())) << "something of the job is left";
    EXPECT_EQ(client.run(shell_job("echo next")).out(), "next\n");
    EXPECT_TRUE(guest.program().running());
    return outcome;
  }

  Guest guest;
  Client client = guest.connect();
  protocol::Welcome welcome;
};

TEST_F(GuestMisbehaviour, daemons_left_behind_are_gone_before_clean_is_said) {
  const auto outcome = survive(shell_job("for i in 1 2 3; do setsid sh -c 'sleep " + marker() + " & sleep " + marker() +
                                         "' > /dev/null 2>&1 & done; sleep 0.1; echo left"));
  EXPECT_EQ(outcome.out(), "left\n");
}

TEST_F(GuestMisbehaviour, a_daemon_that_goes_on_writing_does_not_hold_up_the_result) {
  const auto outcome = survive(shell_job("(while :; do echo " + marker() + "; done) & echo done >&2"));
  EXPECT_EQ(outcome.err(), "done\n");
}

TEST_F(GuestMisbehaviour, killing_everything_in_sight_reaches_nothing_of_ours) {
  if (!given("namespaces")) GTEST_SKIP() << "without namespaces it would reach other processes of this machine";
  survive(shell_job("sleep " + marker() + " & kill -9 -1; echo survived"));
}

TEST_F(GuestMisbehaviour, many_processes_are_bounded_and_ended) {
  if (geteuid() != 0) GTEST_SKIP() << "without root the bound would count this user's own processes";
  Job job = shell_job("f() { sleep " + marker() + " & f; }; f");
  job.limits.processes = 30;
  job.limits.wall = 2s;
  survive(job);
}

TEST_F(GuestMisbehaviour, closing_all_descriptors_hides_nothing) {
  Job job = shell_job("exec 0<&- 1>&- 2>&-; while :; do sleep " + marker() + "; done");
  job.limits.wall = 300ms;
  EXPECT_EQ(survive(job).ending.value().limit, Limit::wall);
}

TEST_F(GuestMisbehaviour, ignoring_signals_does_not_help) {
  Job job = shell_job("trap '' TERM INT HUP QUIT XCPU; while :; do sleep " + marker() + "; done");
  job.limits.wall = 300ms;
  EXPECT_EQ(survive(job).ending.value().limit, Limit::wall);
}

TEST_F(GuestMisbehaviour, endless_output_that_nobody_credits_still_times_out) {
  Job job = shell_job("yes " + marker());
  job.limits.output = 64 << 20;
  job.limits.wall = 1s;
  client.start(7, job);
  const JobOutcome outcome = client.finish(7, false);
  EXPECT_EQ(outcome.ending.value().limit, Limit::wall);
  EXPECT_LE(outcome.out().size(), protocol::initial_output_credit);
  EXPECT_FALSE(process_runs(marker()));
}

TEST_F(GuestMisbehaviour, a_job_cannot_write_to_the_root_file_system) {
  if (!given("namespaces") || geteuid() != 0) GTEST_SKIP() << "no namespaces here";
  const auto outcome =
      survive(shell_job("echo x > /etc/pbotvm-test; echo x > /var/pbotvm-test; ls / > /dev/null && echo seen"));
  EXPECT_EQ(outcome.out(), "seen\n");
  EXPECT_THAT(outcome.err(), testing::HasSubstr("Read-only file system"));
}

TEST_F(GuestMisbehaviour, a_job_sees_no_process_but_its_own) {
  if (!given("namespaces")) GTEST_SKIP() << "no namespaces here";
  const auto outcome = survive(shell_job("ls -d /proc/[0-9]* | wc -l; kill -9 1 2>&1 | grep -c permitted"));
  EXPECT_LE(std::stoi(outcome.out()), 6);
}

TEST_F(GuestMisbehaviour, shared_memory_of_one_job_is_not_there_for_the_next) {
  if (!given("namespaces")) GTEST_SKIP() << "no namespaces here";
  client.run(shell_job("echo secret > /dev/shm/left; ipcmk -Q > /dev/null; echo ok"));
  const auto outcome = client.run(shell_job("ls /dev/shm; ipcs -q | grep -c 0x"));
  EXPECT_EQ(outcome.out(), "0\n");
}

}  // namespace
}  // namespace pbotvm::guest_test

// SPDX-License-Identifier: MIT
#include "cli/program.h"

#include <gtest/gtest.h>

#include <chrono>

namespace pbotvm::cli {
namespace {

using namespace std::chrono_literals;

TEST(Program, BothStreamsAndTheStatusComeBack) {
  const auto end = run_program({"sh", "-c", "echo out; echo err >&2; exit 3"}, Deadline::in(60s));
  EXPECT_EQ(end.out, "out\n");
  EXPECT_EQ(end.err, "err\n");
  EXPECT_EQ(end.status, 3);
  EXPECT_FALSE(end.succeeded());
}

TEST(Program, ArgumentsAreNoShellString) {
  EXPECT_EQ(run_program({"printf", "%s", "$HOME; `id` 'a b'"}, Deadline::in(60s)).out, "$HOME; `id` 'a b'");
}

TEST(Program, ThatIsNotThereIsAnOutcome) {
  EXPECT_FALSE(run_program({"pbotvm-no-such-program"}, Deadline::in(60s)).found);
}

TEST(Program, ThatDoesNotEndIsKilledAtItsDeadline) {
  const auto begun = std::chrono::steady_clock::now();
  const auto end = run_program({"sh", "-c", "echo begun; exec sleep 1000"}, Deadline::in(300ms));
  EXPECT_TRUE(end.timed_out);
  EXPECT_FALSE(end.succeeded());
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 60s);
}

TEST(Program, MoreOutputThanIsKeptDoesNotHoldItUp) {
  const auto end = run_program({"head", "-c", "9000000", "/dev/zero"}, Deadline::in(60s));
  EXPECT_EQ(end.status, 0);
  EXPECT_LT(end.out.size(), 5'000'000u);
}

TEST(Program, SpeaksEnglish) {
  EXPECT_EQ(run_program({"sh", "-c", "echo $LC_ALL"}, Deadline::in(60s)).out, "C\n");
}

TEST(ProgramOnTerminal, TellsHowItEnded) {
  EXPECT_EQ(run_on_terminal({"sh", "-c", "exit 3"}).status, 3);
  EXPECT_EQ(run_on_terminal({"sh", "-c", "kill -KILL $$"}).status, 128 + 9);
  EXPECT_FALSE(run_on_terminal({"pbotvm-no-such-program"}).found);
}

TEST(ProgramOnTerminal, IsEndedWithThisProcessWhichGoesOnToCleanUp) {
  // The program has its starter told to end; SIGTERM comes back to it by that.
  const auto end = run_on_terminal({"sh", "-c", "kill -TERM $PPID; exec sleep 1000"});
  EXPECT_TRUE(end.interrupted);
  EXPECT_EQ(end.status, 128 + 15);
}

}  // namespace
}  // namespace pbotvm::cli

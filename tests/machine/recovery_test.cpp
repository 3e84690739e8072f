// SPDX-License-Identifier: MIT
#include "machine/recovery.h"

#include <gtest/gtest.h>

namespace pbotvm::machine {
namespace {

using config::RevertPolicy;

JobAftermath clean(Limit limit) {
  JobAftermath aftermath;
  aftermath.limit = limit;
  aftermath.proven_clean = true;
  return aftermath;
}

TEST(RecoveryTest, OnFaultRevertsAfterWhatHadToBeKilled) {
  for (const auto limit : {Limit::wall, Limit::cpu, Limit::memory, Limit::output, Limit::cancelled}) {
    EXPECT_TRUE(needs_revert(RevertPolicy::on_fault, clean(limit))) << static_cast<int>(limit);
  }
}

TEST(RecoveryTest, OnFaultKeepsTheMachineAfterAJobThatEndedItself) {
  for (const auto limit : {Limit::none, Limit::processes, Limit::file_size}) {
    EXPECT_FALSE(needs_revert(RevertPolicy::on_fault, clean(limit))) << static_cast<int>(limit);
  }
}

TEST(RecoveryTest, OnFaultKeepsTheMachineWhenAClientsOwnCancelLeftNothing) {
  auto cancelled = clean(Limit::cancelled);
  cancelled.unwanted = true;
  EXPECT_FALSE(needs_revert(RevertPolicy::on_fault, cancelled));
  cancelled.proven_clean = false;
  EXPECT_TRUE(needs_revert(RevertPolicy::on_fault, cancelled));
  auto timed_out = clean(Limit::wall);
  timed_out.unwanted = true;
  EXPECT_TRUE(needs_revert(RevertPolicy::on_fault, timed_out));
}

TEST(RecoveryTest, OnDoubtRevertsOnlyWithoutProof) {
  EXPECT_FALSE(needs_revert(RevertPolicy::on_doubt, clean(Limit::wall)));
  auto doubtful = clean(Limit::none);
  doubtful.proven_clean = false;
  EXPECT_TRUE(needs_revert(RevertPolicy::on_doubt, doubtful));
  auto broken = clean(Limit::none);
  broken.protocol_fault = true;
  EXPECT_TRUE(needs_revert(RevertPolicy::on_doubt, broken));
}

TEST(RecoveryTest, NeverNeverRevertsAndAlwaysAlwaysDoes) {
  auto worst = clean(Limit::wall);
  worst.proven_clean = false;
  worst.protocol_fault = true;
  EXPECT_FALSE(needs_revert(RevertPolicy::never, worst));
  EXPECT_TRUE(needs_revert(RevertPolicy::always, clean(Limit::none)));
}

TEST(GrowingPauseTest, DoublesUpToAMinuteAndStartsOver) {
  GrowingPause pause;
  for (const int expected : {1, 2, 4, 8, 16, 32, 60, 60}) EXPECT_EQ(pause.after_failure(false).count(), expected);
  pause.reset();
  EXPECT_EQ(pause.after_failure(false).count(), 1);
}

TEST(GrowingPauseTest, IsNoneForTheFirstFailureOfAMachineThatServed) {
  GrowingPause pause;
  for (const int expected : {0, 1, 2, 4}) EXPECT_EQ(pause.after_failure(true).count(), expected);
  pause.reset();
  EXPECT_EQ(pause.after_failure(false).count(), 1);
  EXPECT_EQ(pause.after_failure(true).count(), 2);
}

}  // namespace
}  // namespace pbotvm::machine

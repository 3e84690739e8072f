// SPDX-License-Identifier: MIT
#include "machine/job_queue.h"

#include <gtest/gtest.h>

#include <future>

namespace pbotvm::machine {
namespace {

using namespace std::chrono_literals;

std::shared_ptr<Execution> make(std::chrono::milliseconds patience = 5s) {
  return std::make_shared<Execution>(Job{}, Deadline::in(patience));
}

std::string why(Execution& execution) {
  return std::get<Unavailable>(*execution.wait()).why;
}

TEST(JobQueueTest, ServesFirstComeFirst) {
  int pushes = 0;
  JobQueue queue(8, [&] { ++pushes; });
  const auto first = make(), second = make();
  queue.push(first);
  queue.push(second);
  EXPECT_EQ(pushes, 2);
  EXPECT_EQ(queue.pop(), first);
  EXPECT_EQ(queue.pop(), second);
  EXPECT_EQ(queue.pop(), nullptr);
}

TEST(JobQueueTest, TurnsAwayWhatIsOverItsLimit) {
  JobQueue queue(1, [] {});
  queue.push(make());
  const auto late = make();
  queue.push(late);
  EXPECT_EQ(why(*late), "busy, 1 requests are waiting already; try again soon");
  EXPECT_EQ(queue.size(), 1u);
}

TEST(JobQueueTest, NeverRunsAJobWhoseClientGaveUp) {
  JobQueue queue(8, [] {});
  const auto impatient = make(1ms), patient = make();
  queue.push(impatient);
  queue.push(patient);
  EXPECT_FALSE(impatient->wait().has_value());
  EXPECT_EQ(queue.pop(), patient);
}

TEST(JobQueueTest, TurnsEverybodyAwayWhenClosedUntilOpened) {
  JobQueue queue(8, [] {});
  const auto waiting = make(), late = make(), later = make();
  queue.push(waiting);
  queue.close("it is broken");
  EXPECT_EQ(why(*waiting), "it is broken");
  queue.push(late);
  EXPECT_EQ(why(*late), "it is broken");
  queue.open();
  queue.push(later);
  EXPECT_EQ(queue.pop(), later);
}

TEST(ExecutionTest, WaitsForTheEndOfAJobThatWasBegunHoweverLate) {
  const auto execution = make(20ms);
  ASSERT_TRUE(execution->begin());
  auto outcome = std::async(std::launch::async, [&] { return execution->wait(); });
  EXPECT_EQ(outcome.wait_for(100ms), std::future_status::timeout);
  Result result;
  result.limit = Limit::wall;
  execution->finish(result);
  EXPECT_EQ(std::get<Result>(*outcome.get()).limit, Limit::wall);
}

TEST(ExecutionTest, KeepsItsFirstEnd) {
  const auto execution = make();
  execution->begin();
  execution->finish(Unavailable{"first"});
  execution->finish(Unavailable{"second"});
  EXPECT_EQ(why(*execution), "first");
}

}  // namespace
}  // namespace pbotvm::machine

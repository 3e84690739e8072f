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

Execution::Options streaming() {
  Execution::Options options;
  options.progress = options.more_input = true;
  return options;
}

template <typename Wanted>
Wanted next(Execution& execution) {
  auto next = execution.next(Deadline::in(5s));
  return std::get<Wanted>(std::get<Progress>(next));
}

TEST(ExecutionTest, TellsItsProgressInOrderAndTheOutcomeLast) {
  Execution execution(Job{}, Deadline::in(5s), streaming());
  EXPECT_TRUE(std::holds_alternative<Execution::Nothing>(execution.next(Deadline::in(1ms))));
  execution.begin();
  execution.report(OutputChunk{0, Stream::out, "a"});
  execution.report(OutputChunk{0, Stream::err, "b"});
  execution.report(StepResult{});
  execution.finish(Result{});
  next<Begun>(execution);
  EXPECT_EQ(next<OutputChunk>(execution).bytes, "a");
  EXPECT_EQ(next<OutputChunk>(execution).bytes, "b");
  next<StepResult>(execution);
  EXPECT_TRUE(std::holds_alternative<Outcome>(execution.next(Deadline::in(5s))));
}

TEST(ExecutionTest, BoundsThePiecesThatASlowClientHasNotTaken) {
  Execution execution(Job{}, Deadline::in(5s), streaming());
  execution.begin();
  constexpr std::size_t pairs = 20'000;
  for (std::size_t i = 0; i < pairs; ++i) {
    execution.report(OutputChunk{0, Stream::out, "o"});
    execution.report(OutputChunk{0, Stream::err, "e"});
  }
  next<Begun>(execution);
  std::size_t pieces = 0, out = 0, err = 0;
  while (out + err < 2 * pairs) {
    const auto chunk = next<OutputChunk>(execution);
    (chunk.stream == Stream::out ? out : err) += chunk.bytes.size();
    ++pieces;
  }
  EXPECT_EQ(out, pairs);
  EXPECT_EQ(err, pairs);
  EXPECT_LT(pieces, 5000u);
}

TEST(ExecutionTest, TakesOnlySoMuchInputAhead) {
  Execution execution(Job{}, Deadline::in(5s), streaming());
  execution.begin();
  const std::string piece(400'000, 'i');
  EXPECT_TRUE(execution.add_input(piece));
  EXPECT_TRUE(execution.add_input(piece));
  EXPECT_FALSE(execution.add_input(piece));
  EXPECT_EQ(execution.take_input().bytes.size(), 2 * piece.size());
  EXPECT_TRUE(execution.add_input(piece));
}

TEST(ExecutionTest, IsGivenUpWhenItIsCancelledBeforeItsTurn) {
  Execution execution(Job{}, Deadline::in(5s), streaming());
  execution.cancel();
  EXPECT_FALSE(execution.begin());
  EXPECT_TRUE(std::holds_alternative<Execution::GivenUp>(execution.next(Deadline::in(5s))));
}

TEST(ExecutionTest, TellsTheMachineWhatItsClientWants) {
  Execution execution(Job{}, Deadline::in(5s), streaming());
  int changes = 0;
  execution.begin([&] { ++changes; });
  execution.add_input("x");
  execution.end_input();
  execution.cancel();
  EXPECT_EQ(changes, 3);
  EXPECT_TRUE(execution.cancelled());
  EXPECT_TRUE(execution.take_input().whole);
}

}  // namespace
}  // namespace pbotvm::machine

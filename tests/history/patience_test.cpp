// SPDX-License-Identifier: MIT
#include "history/patience.h"

#include <gtest/gtest.h>

#include <ctime>
#include <thread>

#include "history/editing.h"

namespace pbotvm::history {
namespace {

using namespace std::chrono_literals;

constexpr auto never = Patience::Time::max();

double processor_seconds() {
  ::timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

TEST(Patience, IsNotSpentByWaiting) {
  Patience patience(50ms, never);
  std::this_thread::sleep_for(200ms);
  EXPECT_FALSE(patience.spent());
}

TEST(Patience, IsSpentByWork) {
  const double begun = processor_seconds();
  Patience patience(50ms, never);
  while (!patience.spent()) {
    ASSERT_LT(processor_seconds() - begun, 10.0);
  }
  EXPECT_GE(processor_seconds() - begun, 0.05);
  EXPECT_TRUE(patience.spent());
}

TEST(Patience, EndsWhenTheTimeIsOverHoweverLittleWasDone) {
  Patience patience(1h, std::chrono::steady_clock::now() + 50ms);
  std::this_thread::sleep_for(60ms);
  EXPECT_THROW(patience.spent(), EditError);
  Patience later(1h, std::chrono::steady_clock::now() + 50ms);
  const double begun = processor_seconds();
  EXPECT_THROW(
      while (processor_seconds() - begun < 10) { static_cast<void>(later.spent()); }, EditError);
}

TEST(Patience, EndsASubstitutionToo) {
  const Change change = Substitute{.regex = "a", .text = "b", .all = true};
  EXPECT_EQ(changed("aa", change, never), "bb");
  EXPECT_THROW(changed("aa", change, std::chrono::steady_clock::now()), EditError);
}

}  // namespace
}  // namespace pbotvm::history

// SPDX-License-Identifier: MIT
#include "history/shown_outputs.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace pbotvm::history {
namespace {

using namespace std::chrono_literals;

const std::string line(51, 'x');
const ShownOutputs::Clock::time_point start{1h};

TEST(ShownOutputsTest, KnowsTheLastLongOutputOfAChannelAndLanguage) {
  ShownOutputs shown;
  EXPECT_FALSE(shown.repeats("#c", "sh", line, start));
  EXPECT_TRUE(shown.repeats("#c", "sh", line, start + 1s));
  EXPECT_TRUE(shown.repeats(" #C ", "sh", line, start + 1s)) << "IRC does not tell #C from #c";
  EXPECT_FALSE(shown.repeats("#d", "sh", line, start));
  EXPECT_FALSE(shown.repeats("#c", "c11", line, start));
  EXPECT_FALSE(shown.repeats("#c", "sh", line + "y", start));
  EXPECT_FALSE(shown.repeats("#c", "sh", line, start)) << "another one was shown meanwhile";
}

TEST(ShownOutputsTest, ForgetsWhatWasNotShownAfterAll) {
  ShownOutputs shown;
  EXPECT_FALSE(shown.repeats("#c", "sh", line, start));
  shown.forget("#C", "sh", line);
  EXPECT_EQ(shown.size(), 0u);
  EXPECT_FALSE(shown.repeats("#c", "sh", line, start));
  shown.forget("#c", "sh", line + "y");
  shown.forget("#c", "c11", line);
  shown.forget("alice", "sh", line);
  EXPECT_TRUE(shown.repeats("#c", "sh", line, start)) << "another one was lost";
}

TEST(ShownOutputsTest, ForgetsAfterFourMinutesSinceItWasShown) {
  ShownOutputs shown;
  EXPECT_FALSE(shown.repeats("#c", "sh", line, start));
  EXPECT_TRUE(shown.repeats("#c", "sh", line, start + 3min));
  EXPECT_TRUE(shown.repeats("#c", "sh", line, start + 4min));
  EXPECT_FALSE(shown.repeats("#c", "sh", line, start + 4min + 1s)) << "a repetition must not prolong it";
  EXPECT_TRUE(shown.repeats("#c", "sh", line, start + 5min));
}

TEST(ShownOutputsTest, AlwaysShowsWhatIsNotLongerThanFiftyCharacters) {
  ShownOutputs shown;
  std::string fifty;
  for (int i = 0; i < 50; ++i) fifty += "\xc3\xa4";
  EXPECT_FALSE(shown.repeats("#c", "sh", fifty, start));
  EXPECT_FALSE(shown.repeats("#c", "sh", fifty, start));
  fifty += "\xc3\xa4";
  EXPECT_FALSE(shown.repeats("#c", "sh", fifty, start));
  EXPECT_TRUE(shown.repeats("#c", "sh", fifty, start));
  EXPECT_FALSE(shown.repeats("#c", "sh", "short", start));
  EXPECT_FALSE(shown.repeats("#c", "sh", fifty, start)) << "a short one was the last";
}

TEST(ShownOutputsTest, KeepsNothingOfWhatIsNoChatChannel) {
  ShownOutputs shown;
  for (const std::string& channel : {std::string(), std::string("c"), std::string("alice"), std::string(" "),
                                     std::string("c#"), std::string(300, '#')}) {
    EXPECT_FALSE(shown.repeats(channel, "sh", line, start));
    EXPECT_FALSE(shown.repeats(channel, "sh", line, start)) << channel;
  }
  EXPECT_EQ(shown.size(), 0u);
}

TEST(ShownOutputsTest, RemembersWhatIsShownInAnyCase) {
  ShownOutputs shown;
  shown.show("#c", "sh", line, start);
  shown.show("#c", "sh", line, start + 2min);
  EXPECT_TRUE(shown.repeats("#c", "sh", line, start + 6min));
}

TEST(ShownOutputsTest, KeepsABoundedNumberTheOldestGoFirst) {
  ShownOutputs shown;
  for (std::size_t i = 0; i < ShownOutputs::max_outputs + 5; ++i)
    shown.show("#" + std::to_string(i), "sh", line, start + std::chrono::microseconds(i / 2));
  EXPECT_EQ(shown.size(), ShownOutputs::max_outputs);
  EXPECT_TRUE(shown.repeats("#5", "sh", line, start + 1s));
  EXPECT_FALSE(shown.repeats("#0", "sh", line, start + 1s));
}

TEST(ShownOutputsTest, ShowsOneOfThoseThatComeAtTheSameTime) {
  ShownOutputs shown;
  std::atomic<int> first{0};
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 8; ++i) clients.emplace_back([&] { first += shown.repeats("#c", "sh", line, start) ? 0 : 1; });
  }
  EXPECT_EQ(first, 1);
}

}  // namespace
}  // namespace pbotvm::history

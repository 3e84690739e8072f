// SPDX-License-Identifier: MIT
#include "service/request_control.h"

#include <gtest/gtest.h>

namespace pbotvm::service {
namespace {

using machine::Execution;

std::shared_ptr<Execution> execution() {
  return std::make_shared<Execution>(Job{}, Deadline::in(std::chrono::seconds(10)), Execution::Options{true, true});
}

TEST(RequestControlTest, HandsOverWhatWasSaidBeforeTheJobWasOnItsWay) {
  RequestControl control;
  EXPECT_TRUE(control.add_input("a"));
  EXPECT_TRUE(control.add_input("b"));
  const auto job = execution();
  control.attach(job);
  EXPECT_TRUE(control.add_input("c"));
  control.end_input();
  const auto input = job->take_input();
  EXPECT_EQ(input.bytes, "abc");
  EXPECT_TRUE(input.whole);
}

TEST(RequestControlTest, TakesNoMoreThanMayWait) {
  RequestControl control;
  EXPECT_TRUE(control.add_input(std::string(RequestControl::max_waiting_input, 'x')));
  EXPECT_FALSE(control.add_input("y"));
  const auto job = execution();
  control.attach(job);
  EXPECT_FALSE(control.add_input("y"));
  EXPECT_EQ(job->take_input().bytes.size(), RequestControl::max_waiting_input);
  EXPECT_TRUE(control.add_input("y"));
}

TEST(RequestControlTest, TakesAndForgetsWhatComesTooLate) {
  RequestControl control;
  const auto job = execution();
  control.attach(job);
  control.end_input();
  EXPECT_TRUE(control.add_input("late"));
  EXPECT_EQ(job->take_input().bytes, "");
  control.detach();
  EXPECT_TRUE(control.add_input(std::string(2 * RequestControl::max_waiting_input, 'x')));
  EXPECT_TRUE(control.add_input("x"));
}

TEST(RequestControlTest, EndsTheRequestOfAClientThatSaysSomethingWrong) {
  RequestControl control;
  EXPECT_FALSE(control.cancelled());
  control.refuse("first");
  control.refuse("second");
  EXPECT_TRUE(control.cancelled());
  EXPECT_EQ(control.refusal(), "first");
}

}  // namespace
}  // namespace pbotvm::service

// SPDX-License-Identifier: MIT
#include "qemu_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pbotvm::qemu {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using Kind = HypervisorEvent::Kind;

json event(const std::string& name, const json& data = nullptr) {
  json made = {{"event", name}};
  if (!data.is_null()) made["data"] = data;
  return made;
}

std::vector<Kind> kinds(QemuEvents& events) {
  std::vector<Kind> made;
  while (const auto one = events.next()) made.push_back(one->kind);
  return made;
}

TEST(QemuEvents, TellAPanicAndTheEndThatFollowsItInTheirOrder) {
  QemuEvents events;
  EXPECT_EQ(R"(QEMU reports GUEST_PANICKED {"action":"shutdown"})",
            events.take(event("GUEST_PANICKED", {{"action", "shutdown"}}), false));
  events.take(event("SHUTDOWN", {{"guest", true}, {"reason", "guest-panic"}}), false);
  events.ended("QEMU ended with exit status 0");
  EXPECT_EQ(Kind::panicked, events.next()->kind);
  const auto end = events.next();
  EXPECT_EQ(Kind::ended, end->kind);
  EXPECT_EQ("QEMU ended with exit status 0; before that it reported SHUTDOWN, reason guest-panic", end->text);
  EXPECT_FALSE(events.next());
}

TEST(QemuEvents, TellAPauseOfAFullDiskOnceHoweverManyRequestsFail) {
  QemuEvents events;
  const json failed = event("BLOCK_IO_ERROR", {{"action", "stop"}, {"nospace", true}, {"node-name", "disk1"}});
  EXPECT_THAT(events.take(failed, false), HasSubstr("nospace"));
  EXPECT_EQ("", events.take(failed, false));
  events.take(event("STOP"), false);
  EXPECT_EQ(std::vector{Kind::paused}, kinds(events));
  events.take(event("RESUME"), false);
  EXPECT_EQ(std::vector{Kind::resumed}, kinds(events));
  events.take(failed, false);
  EXPECT_EQ(std::vector{Kind::paused}, kinds(events));
}

TEST(QemuEvents, DoNotTellOfPausesThatTheHostMade) {
  QemuEvents events;
  EXPECT_EQ("", events.take(event("STOP"), true));
  EXPECT_EQ("", events.take(event("RESUME"), true));
  EXPECT_TRUE(kinds(events).empty());
  events.take(event("STOP"), false);
  EXPECT_EQ(std::vector{Kind::paused}, kinds(events));
}

TEST(QemuEvents, LeaveAnErrorToTheGuestThatIsTheGuestsToDealWith) {
  QemuEvents events;
  const json failed = event("BLOCK_IO_ERROR", {{"action", "report"}});
  EXPECT_NE("", events.take(failed, false));
  EXPECT_EQ("", events.take(failed, false));  // one line for the log, not one for each request
  EXPECT_TRUE(kinds(events).empty());
}

TEST(QemuEvents, KeepABoundedNumber) {
  QemuEvents events;
  for (std::size_t i = 0; i < max_machine_events + 10; ++i) events.take(event("STOP"), false);
  EXPECT_EQ(max_machine_events, kinds(events).size());
}

TEST(QemuEvents, OfAnEarlierLifeAreForgotten) {
  QemuEvents events;
  events.take(event("SHUTDOWN", {{"reason", "guest-reset"}}), false);
  events.ended("a");
  events.clear();
  EXPECT_FALSE(events.next());
  events.ended("b");
  EXPECT_EQ("b", events.next()->text);
}

}  // namespace
}  // namespace pbotvm::qemu

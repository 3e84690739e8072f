// SPDX-License-Identifier: MIT
#include "domain_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libvirt/libvirt.h>

#include <chrono>
#include <thread>

namespace pbotvm::libvirt {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Kind = HypervisorEvent::Kind;

struct WatchedDomain : ::testing::Test {
  WatchedDomain() { watch.connected(&first, true, "libvirt 9"); }

  std::vector<Kind> kinds() {
    std::vector<Kind> made;
    while (const auto event = watch.take()) made.push_back(event->kind);
    return made;
  }

  int first = 0, second = 0;  // connections
  DomainWatch watch;
};

TEST_F(WatchedDomain, HasEndedWhenSomebodyDestroysIt) {
  watch.lifecycle(VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED);
  EXPECT_FALSE(watch.active());
  EXPECT_EQ(std::vector<Kind>{Kind::ended}, kinds());
}

TEST_F(WatchedDomain, RunsOnThroughARevert) {
  watch.lifecycle(VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT);
  EXPECT_TRUE(watch.active());
  watch.lifecycle(VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_FROM_SNAPSHOT);
  watch.lifecycle(VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_FROM_SNAPSHOT);
  watch.lifecycle(VIR_DOMAIN_EVENT_DEFINED, VIR_DOMAIN_EVENT_DEFINED_FROM_SNAPSHOT);
  EXPECT_TRUE(watch.active());
  EXPECT_TRUE(kinds().empty());
}

TEST_F(WatchedDomain, ReportsAPanicAndTheEndThatFollows) {
  watch.lifecycle(VIR_DOMAIN_EVENT_CRASHED, VIR_DOMAIN_EVENT_CRASHED_PANICKED);
  watch.lifecycle(VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_CRASHED);
  EXPECT_EQ((std::vector<Kind>{Kind::panicked, Kind::ended}), kinds());
}

TEST_F(WatchedDomain, AsksForNothingMoreWhenItWasPutBackAfterAPanic) {
  watch.lifecycle(VIR_DOMAIN_EVENT_CRASHED, VIR_DOMAIN_EVENT_CRASHED_PANICKED);
  watch.begin_anew();
  const auto event = watch.take();
  ASSERT_TRUE(event);
  EXPECT_EQ(Kind::resumed, event->kind);
  EXPECT_THAT(event->text, ::testing::AllOf(HasSubstr("panicked"), HasSubstr("before it was put back")));
}

TEST_F(WatchedDomain, DoesNotReportTheEndThatWasAskedFor) {
  const DomainWatch::Asking asking(watch, DomainWatch::Asked::end);
  watch.lifecycle(VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED);
  EXPECT_FALSE(watch.active());
  EXPECT_TRUE(kinds().empty());
}

TEST_F(WatchedDomain, DoesNotReportThePauseInWhichItIsSaved) {
  {
    const DomainWatch::Asking asking(watch, DomainWatch::Asked::save);
    watch.lifecycle(VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
    std::thread late([this] { watch.lifecycle(VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED); });
    watch.settle(Deadline::in(30s));  // the event may come after the answer
    late.join();
  }
  EXPECT_TRUE(kinds().empty());
  watch.lifecycle(VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
  watch.lifecycle(VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
  EXPECT_EQ((std::vector<Kind>{Kind::paused, Kind::resumed}), kinds());
}

TEST_F(WatchedDomain, SaysWhichDiskIsFull) {
  watch.disk_error("/images/a.qcow2", "enospc");
  watch.lifecycle(VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_IOERROR);
  const auto event = watch.take();
  ASSERT_TRUE(event);
  EXPECT_EQ(Kind::paused, event->kind);
  EXPECT_THAT(event->text, HasSubstr("no space left for /images/a.qcow2"));
}

TEST_F(WatchedDomain, CountsAsRunningWhileItsDaemonIsAway) {
  watch.lost(&first, "the daemon is gone");
  EXPECT_TRUE(watch.active());
  watch.connected(&second, true, "libvirt 9");
  EXPECT_EQ((std::vector<Kind>{Kind::unreachable, Kind::reconnected}), kinds());
}

TEST_F(WatchedDomain, HasEndedWhenItIsGoneAfterItsDaemonWasAway) {
  watch.lost(&first, "the daemon is gone");
  watch.connected(&second, false, "libvirt 9");
  EXPECT_EQ((std::vector<Kind>{Kind::unreachable, Kind::reconnected, Kind::ended}), kinds());
}

TEST_F(WatchedDomain, IsStillConnectedWhenAnEarlierConnectionEndsLate) {
  watch.forsake("a call was given up");
  watch.connected(&second, true, "libvirt 9");
  watch.lost(&first, "the daemon does not answer");
  EXPECT_TRUE(watch.is_connected());
}

TEST_F(WatchedDomain, HasEndedWhenItIsFoundSoTwice) {
  watch.found(false);
  EXPECT_TRUE(watch.active());
  watch.found(false);
  EXPECT_FALSE(watch.active());
  EXPECT_EQ(std::vector<Kind>{Kind::ended}, kinds());
}

TEST_F(WatchedDomain, KeepsTheLatestEventsWhenNobodyTakesThem) {
  for (std::size_t i = 0; i < max_events; ++i)
    watch.lifecycle(VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
  watch.lifecycle(VIR_DOMAIN_EVENT_CRASHED, VIR_DOMAIN_EVENT_CRASHED_PANICKED);
  const auto seen = kinds();
  EXPECT_EQ(max_events, seen.size());
  EXPECT_EQ(Kind::panicked, seen.back());
}

}  // namespace
}  // namespace pbotvm::libvirt

// SPDX-License-Identifier: MIT

// Against the driver that libvirt has for tests: domains and snapshots within this process, where domain 'test' runs.
// https://libvirt.org/drvtest.html

#include "libvirt_hypervisor.h"

#include "domain_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <future>
#include <thread>

namespace pbotvm::libvirt {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

// Time enough to begin a call, also on a busy system.
Deadline given_up() {
  return Deadline::in(3s);
}

const Deadline soon() {
  return Deadline::in(60s);
}

struct TestDriver : ::testing::Test {
  static std::shared_ptr<EventLoop> loop() {
    static const auto one = std::make_shared<EventLoop>();
    return one;
  }

  std::unique_ptr<LibvirtHypervisor> make(const std::string& domain = "test",
                                          const std::string& uri = "test:///default") {
    MachineSettings machine;
    machine.name = "m";
    machine.domain = domain;
    return std::make_unique<LibvirtHypervisor>(machine, LibvirtSettings{.uri = uri}, loop());
  }

  static std::string error_of(const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  static std::vector<std::string> names(LibvirtHypervisor& hypervisor) {
    std::vector<std::string> made;
    for (const Snapshot& snapshot : hypervisor.list(soon()))
      made.push_back(snapshot.name + (snapshot.current ? "*" : ""));
    return made;
  }

  // The driver's state lives as long as any connection in this process: every test begins with what the first one saw.
  void SetUp() override {
    const DomainHandle domain(virDomainLookupByName(other, "test"));
    virDomainSnapshotPtr* snapshots = nullptr;
    for (int left = virDomainListAllSnapshots(domain.get(), &snapshots, 0); left > 0; --left) {
      virDomainSnapshotDelete(snapshots[left - 1], 0);
      virDomainSnapshotFree(snapshots[left - 1]);
    }
    std::free(snapshots);
    if (virDomainIsActive(domain.get()) == 0) virDomainCreate(domain.get());
  }

  virConnectPtr other = virConnectOpen((loop(), "test:///default"));  // somebody else; keeps the driver's state
  ~TestDriver() override { virConnectClose(other); }
};

TEST_F(TestDriver, IsNotAskedBeforeTheMachineStarts) {
  const auto hypervisor = make("test", "qemu+unix:///system?socket=/nonexistent");
  EXPECT_FALSE(hypervisor->running());
  EXPECT_THAT(hypervisor->description(), HasSubstr("not connected yet"));
  hypervisor->stop(soon());
}

TEST_F(TestDriver, TakesADomainThatRunsWithoutASnapshotForFresh) {
  const auto hypervisor = make();
  EXPECT_EQ(Started::fresh, hypervisor->start(soon()));
  EXPECT_TRUE(hypervisor->running());
  EXPECT_THAT(hypervisor->description(), AllOf(HasSubstr("libvirt 9."), HasSubstr("domain test")));
}

TEST_F(TestDriver, SavesRevertsAndStartsFromTheSnapshot) {
  const auto hypervisor = make();
  hypervisor->start(soon());
  hypervisor->take_snapshot(soon());
  hypervisor->take_snapshot(soon());  // in the place of the first
  EXPECT_EQ(std::vector<std::string>{"1*"}, names(*hypervisor));
  hypervisor->revert(soon());
  hypervisor->stop(soon());
  EXPECT_FALSE(hypervisor->running());
  EXPECT_EQ(Started::restored, hypervisor->start(soon()));
  EXPECT_TRUE(hypervisor->running());
  EXPECT_FALSE(hypervisor->take_event());
}

TEST_F(TestDriver, KeepsSnapshotsUnderNames) {
  const auto hypervisor = make();
  hypervisor->start(soon());
  hypervisor->create("a", soon());
  hypervisor->create("b", soon());
  EXPECT_EQ((std::vector<std::string>{"a", "b*"}), names(*hypervisor));
  EXPECT_THAT(error_of([&] { hypervisor->create("a", soon()); }), HasSubstr("already has a snapshot 'a'"));
  hypervisor->revert_to("a", soon());
  EXPECT_EQ((std::vector<std::string>{"a*", "b"}), names(*hypervisor));
  hypervisor->remove("b", soon());
  EXPECT_THAT(error_of([&] { hypervisor->revert_to("b", soon()); }),
              AllOf(HasSubstr("libvirt error 72"), HasSubstr("there are: a")));
}

TEST_F(TestDriver, RefusesASnapshotWithoutMemory) {
  const auto hypervisor = make();
  hypervisor->start(soon());
  hypervisor->stop(soon());
  const DomainHandle domain(virDomainLookupByName(other, "test"));
  const SnapshotHandle cold(
      virDomainSnapshotCreateXML(domain.get(), "<domainsnapshot><name>1</name></domainsnapshot>", 0));
  ASSERT_TRUE(cold);
  EXPECT_THAT(error_of([&] { hypervisor->start(soon()); }),
              AllOf(HasSubstr("holds no memory"), HasSubstr("virsh snapshot-delete test 1")));
}

TEST_F(TestDriver, ListsTheDomainsThereAre) {
  const auto hypervisor = make("nobody");
  EXPECT_THAT(error_of([&] { hypervisor->start(soon()); }),
              AllOf(HasSubstr("libvirt error 42"), HasSubstr("there are: test")));
}

TEST_F(TestDriver, NamesAUriThatLibvirtDoesNotKnow) {
  const auto hypervisor = make("test", "nonsense:///system");
  EXPECT_THAT(error_of([&] { hypervisor->start(soon()); }),
              AllOf(HasSubstr("libvirt error"), HasSubstr("nonsense:///")));
}

TEST_F(TestDriver, SeesADomainThatSomebodyElseDestroys) {
  const auto hypervisor = make();
  hypervisor->start(soon());
  const DomainHandle domain(virDomainLookupByName(other, "test"));
  ASSERT_EQ(0, virDomainDestroy(domain.get()));
  std::optional<HypervisorEvent> event;
  for (const auto end = soon(); !(event = hypervisor->take_event()) && !end.expired();) std::this_thread::yield();
  ASSERT_TRUE(event);
  EXPECT_EQ(HypervisorEvent::Kind::ended, event->kind);
  EXPECT_FALSE(hypervisor->running());
}

TEST_F(TestDriver, ComesBackByTheDeadlineWhenACallDoesNot) {
  const auto watch = std::make_shared<DomainWatch>();
  CallWorker worker({"test:///default", "test", ""}, watch);
  const auto gate = std::make_shared<std::promise<void>>();
  const auto hang = [opened = gate->get_future().share()](Connection&) { opened.wait(); };
  EXPECT_THAT(error_of([&] { worker.call(given_up(), "hang", hang); }), HasSubstr("did not answer in time"));
  EXPECT_EQ(7, worker.call(soon(), "count", [](Connection&) { return 7; }));  // another thread takes its place
  gate->set_value();
}

TEST_F(TestDriver, LeavesTheDomainAloneOnceACallWasGivenUp) {
  const auto watch = std::make_shared<DomainWatch>();
  CallWorker worker({"test:///default", "test", ""}, watch);
  const auto gate = std::make_shared<std::promise<void>>();
  const auto late = std::make_shared<std::promise<std::string>>();
  const auto hang = [late, opened = gate->get_future().share()](Connection& connection) {
    opened.wait();
    late->set_value(error_of([&] { stop_domain(connection, 0ms); }));
  };
  EXPECT_THROW(worker.call(given_up(), "hang", hang), Error);
  gate->set_value();
  EXPECT_THAT(late->get_future().get(), HasSubstr("too late"));
  EXPECT_EQ(1, virDomainIsActive(DomainHandle(virDomainLookupByName(other, "test")).get()));
}

TEST_F(TestDriver, DoesNotCountAsRunningAfterARevertThatFailed) {
  const auto hypervisor = make();
  hypervisor->start(soon());
  EXPECT_THROW(hypervisor->revert(soon()), Error);  // there is no snapshot
  EXPECT_FALSE(hypervisor->running());
  hypervisor->start(soon());
  EXPECT_TRUE(hypervisor->running());
}

}  // namespace
}  // namespace pbotvm::libvirt

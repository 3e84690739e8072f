// SPDX-License-Identifier: MIT
#include "machine/machine.h"

#include <gmock/gmock.h>

#include <atomic>
#include <deque>
#include <future>

#include "scripted_guest.h"

namespace pbotvm::machine {
namespace {

using namespace std::chrono_literals;
using config::RevertPolicy;
using protocol::FrameType;
using test::make_job;
using test::ScriptedGuest;
using test::SocketPair;
using testing::HasSubstr;

// A back end whose machine is a socket pair; counts what it is asked for.
class FakeHypervisor : public Hypervisor {
 public:
  struct Counts {
    std::atomic<int> starts{0}, reverts{0}, stops{0}, snapshots{0};
    std::atomic<bool> revert_fails{false}, start_fails{false}, up{false};
  };
  FakeHypervisor(Counts& counts, HypervisorAbilities abilities, Started started)
      : counts_(counts), abilities_(abilities), started_(started) {}
  HypervisorAbilities abilities() const noexcept override { return abilities_; }
  Started start(const Deadline&) override {
    ++counts_.starts;
    if (counts_.start_fails) throw Error(ErrorCode::unavailable, "no such image");
    counts_.up = true;
    return started_;
  }
  bool running() noexcept override { return counts_.up; }
  void take_snapshot(const Deadline&) override { ++counts_.snapshots; }
  void revert(const Deadline&) override {
    ++counts_.reverts;
    if (counts_.revert_fails) throw Error(ErrorCode::refused, "the snapshot is gone");
  }
  void stop(const Deadline&) noexcept override {
    ++counts_.stops;
    counts_.up = false;
  }
  std::string description() const override { return "a fake"; }

 private:
  Counts& counts_;
  const HypervisorAbilities abilities_;
  const Started started_;
};

// Hands the guest's end of every connection to the test.
class FakeTransport : public Transport {
 public:
  struct Line {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<UniqueFd> guests;
    bool refuses = false;

    std::unique_ptr<ScriptedGuest> accept() {
      std::unique_lock lock(mutex);
      if (!changed.wait_for(lock, 5s, [this] { return !guests.empty(); })) throw std::runtime_error("nobody connects");
      auto guest = std::make_unique<ScriptedGuest>(std::move(guests.front()));
      guests.pop_front();
      return guest;
    }
  };
  explicit FakeTransport(Line& line) : line_(line) {}
  UniqueFd connect(const Deadline&) override {
    std::lock_guard lock(line_.mutex);
    if (line_.refuses) throw Error(ErrorCode::unavailable, "nobody listens");
    SocketPair pair;
    line_.guests.push_back(std::move(pair.guest));
    line_.changed.notify_all();
    return std::move(pair.host);
  }
  std::string description() const override { return "a socket pair"; }

 private:
  Line& line_;
};

class MachineTest : public testing::Test {
 protected:
  ~MachineTest() override {
    if (machine_) machine_->shut_down();
  }

  void start(RevertPolicy policy = RevertPolicy::on_fault, HypervisorAbilities abilities = {true, true},
             Started started = Started::restored, Machine::Options options = {}) {
    config::MachineConfiguration configuration;
    configuration.settings.name = "test";
    configuration.revert = policy;
    configuration.hypervisor.plugin = "fake";
    Machine::Parts parts;
    parts.hypervisor = std::make_unique<FakeHypervisor>(counts_, abilities, started);
    parts.transports.push_back({"first", std::make_unique<FakeTransport>(first_)});
    parts.transports.push_back({"second", std::make_unique<FakeTransport>(second_)});
    counts_.up = !abilities.starts;
    machine_ = std::make_unique<Machine>(std::move(configuration), std::move(parts), std::move(options));
    machine_->start();
  }

  void start_ready(RevertPolicy policy = RevertPolicy::on_fault, HypervisorAbilities abilities = {true, true}) {
    start(policy, abilities);
    guest_ = first_.accept();
    guest_->welcome();
  }

  std::future<Outcome> run(std::chrono::milliseconds wall = 5s) {
    return std::async(std::launch::async, [this, wall] { return machine_->run(make_job(wall)); });
  }

  // Plays the guest for one job: reads it, prints, ends it.
  std::uint32_t serve(const std::string& text, Limit limit = Limit::none, bool clean = true) {
    const auto id = guest_->expect(FrameType::job).job;
    guest_->output(id, text);
    guest_->finish(id, limit, clean);
    return id;
  }

  static std::string printed(const Outcome& outcome) {
    if (const auto* lost = std::get_if<Unavailable>(&outcome)) return "unavailable: " + lost->why;
    std::string text;
    for (const auto& chunk : std::get<Result>(outcome).output) text += chunk.bytes;
    return text;
  }

  FakeHypervisor::Counts counts_;
  FakeTransport::Line first_, second_;
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<ScriptedGuest> guest_;
};

TEST_F(MachineTest, RunsJobsOneAfterTheOtherAndKeepsACleanMachine) {
  start_ready();
  for (const std::string text : {"one", "two"}) {
    auto outcome = run();
    serve(text);
    EXPECT_EQ(printed(outcome.get()), text);
  }
  EXPECT_EQ(counts_.reverts, 0);
  EXPECT_EQ(machine_->status().jobs, 2u);
}

TEST_F(MachineTest, RevertsAfterATimeOutBeforeTheNextJob) {
  start_ready();
  auto slow = run();
  serve("partial", Limit::wall);
  EXPECT_EQ(printed(slow.get()), "partial");
  auto next = run();
  guest_->welcome();  // the hello after the revert
  EXPECT_EQ(counts_.reverts, 1);
  serve("fresh");
  EXPECT_EQ(printed(next.get()), "fresh");
  EXPECT_EQ(machine_->status().faults, 1u);
}

TEST_F(MachineTest, NeverGivesALateResultOfATimedOutJobToTheNextClient) {
  start_ready();
  auto slow = run(50ms);
  const auto late = guest_->expect(FrameType::job).job;
  const auto old_nonce = guest_->nonce();
  guest_->output(late, "partial");
  const auto outcome = slow.get();  // the host's own guard ends it
  EXPECT_EQ(printed(outcome), "partial");
  EXPECT_EQ(std::get<Result>(outcome).limit, Limit::wall);
  auto next = run();
  // The guest's words of before, in flight while the machine was reverted.
  guest_->send(FrameType::output, late, old_nonce, protocol::encode_output(0, Stream::out, "SECRET"));
  guest_->send(FrameType::result, late, old_nonce, protocol::encode(protocol::Ending{}));
  guest_->welcome();
  const auto id = guest_->expect(FrameType::job).job;
  EXPECT_NE(id, late);
  guest_->send(FrameType::output, id, old_nonce, protocol::encode_output(0, Stream::out, "SECRET"));
  guest_->send(FrameType::result, late, guest_->nonce(), protocol::encode(protocol::Ending{}));
  guest_->output(id, "mine");
  guest_->finish(id);
  EXPECT_EQ(printed(next.get()), "mine");
}

TEST_F(MachineTest, RevertsWhenTheGuestCannotProveThatNothingIsLeft) {
  start_ready();
  auto outcome = run();
  serve("ok", Limit::none, false);
  EXPECT_EQ(printed(outcome.get()), "ok");
  guest_->welcome();
  EXPECT_EQ(counts_.reverts, 1);
}

TEST_F(MachineTest, DoesNotRevertWhereThatIsTurnedOff) {
  start_ready(RevertPolicy::never);
  auto outcome = run();
  serve("partial", Limit::wall);
  EXPECT_EQ(printed(outcome.get()), "partial");
  auto next = run();
  serve("next");
  EXPECT_EQ(printed(next.get()), "next");
  EXPECT_EQ(counts_.reverts, 0);
}

TEST_F(MachineTest, OpensANewConversationWhereItLostSightOfAJobAndCannotRevert) {
  start_ready(RevertPolicy::on_fault, {false, false});
  auto slow = run(50ms);
  guest_->expect(FrameType::job);
  const auto nonce = guest_->nonce();
  slow.get();
  guest_->welcome();
  EXPECT_NE(guest_->nonce(), nonce);
  auto next = run();
  serve("next");
  EXPECT_EQ(printed(next.get()), "next");
}

TEST_F(MachineTest, RevertsWhenTheGuestBreaksTheProtocolAndTellsTheClient) {
  start_ready();
  auto outcome = run();
  const auto id = guest_->expect(FrameType::job).job;
  guest_->send(FrameType::result, id, guest_->nonce(), "[]");
  EXPECT_THAT(printed(outcome.get()), HasSubstr("bad message"));
  guest_ = first_.accept();
  guest_->welcome();
  EXPECT_EQ(counts_.reverts, 1);
}

TEST_F(MachineTest, RestartsTheMachineWhenItsRevertFails) {
  start_ready();
  counts_.revert_fails = true;
  auto outcome = run();
  serve("", Limit::wall);
  outcome.get();
  guest_ = first_.accept();  // of the restarted machine, a second later
  guest_->welcome();
  while (machine_->status().state != State::ready) std::this_thread::yield();
  auto next = run();
  serve("again");
  EXPECT_EQ(printed(next.get()), "again");
  EXPECT_EQ(counts_.starts, 2);
}

TEST_F(MachineTest, AnswersAtOnceWhyAMachineThatFailedIsUnavailable) {
  counts_.start_fails = true;
  start();
  Outcome outcome = Unavailable{"the machine is not there yet"};
  do {
    outcome = machine_->run(make_job());
  } while (machine_->status().state != State::failed);
  EXPECT_THAT(printed(machine_->run(make_job())), HasSubstr("no such image"));
}

TEST_F(MachineTest, FallsBackToTheNextTransportWhereTheFirstCannotConnect) {
  first_.refuses = true;
  start();
  guest_ = second_.accept();
  guest_->welcome();
  auto outcome = run();
  serve("over the second");
  EXPECT_EQ(printed(outcome.get()), "over the second");
  EXPECT_EQ(machine_->status().transport, "second");
}

TEST_F(MachineTest, RunsTheWarmUpJobsOnceAndThenTakesTheSnapshot) {
  Machine::Options options;
  options.warm_up = {make_job(), make_job()};
  start(RevertPolicy::on_fault, {true, true}, Started::fresh, std::move(options));
  guest_ = first_.accept();
  guest_->welcome();
  serve("warm");
  EXPECT_EQ(counts_.snapshots, 0);
  serve("warmer");
  auto outcome = run();
  serve("first client");
  EXPECT_EQ(printed(outcome.get()), "first client");
  EXPECT_EQ(counts_.snapshots, 1);
  EXPECT_EQ(machine_->status().jobs, 1u);
}

TEST_F(MachineTest, AnswersEveryClientWhenItIsShutDown) {
  start_ready();
  auto running = run();
  const auto id = guest_->expect(FrameType::job).job;
  auto waiting = run();
  while (machine_->status().waiting == 0) std::this_thread::yield();
  auto ending = std::async(std::launch::async, [this] { machine_->shut_down(); });
  guest_->expect(FrameType::cancel);
  guest_->output(id, "so far");
  // Nothing behind the result: the host may close the line as soon as it has it.
  guest_->send(FrameType::result, id, guest_->nonce(), protocol::encode(protocol::Ending{Limit::cancelled, 0, ""}));
  const auto outcome = running.get();
  EXPECT_EQ(printed(outcome), "so far");
  EXPECT_EQ(std::get<Result>(outcome).limit, Limit::cancelled);
  EXPECT_EQ(printed(waiting.get()), "unavailable: the host is shutting down");
  ending.get();
  EXPECT_EQ(counts_.stops, 1);
}

TEST_F(MachineTest, RevertsWhenTheOperatorAsksOnceTheRunningJobHasEnded) {
  start_ready();
  auto outcome = run();
  const auto id = guest_->expect(FrameType::job).job;
  auto reverting = std::async(std::launch::async, [this] { machine_->revert(); });
  while (machine_->status().state != State::draining) std::this_thread::yield();
  EXPECT_EQ(counts_.reverts, 0);
  guest_->output(id, "done");
  guest_->finish(id);
  EXPECT_EQ(printed(outcome.get()), "done");
  guest_->welcome();
  reverting.get();
  EXPECT_EQ(counts_.reverts, 1);
}

TEST_F(MachineTest, RefusesToRevertWhatItsHypervisorCannot) {
  start_ready(RevertPolicy::on_fault, {false, false});
  EXPECT_THROW(machine_->revert(), Error);
}

TEST_F(MachineTest, TellsAClientThatWaitedTooLong) {
  Machine::Options options;
  options.queue_timeout = 50ms;
  start(RevertPolicy::on_fault, {true, true}, Started::restored, std::move(options));
  guest_ = first_.accept();
  EXPECT_EQ(printed(machine_->run(make_job())),
            "unavailable: it is starting, no slot became free within 0.050 s; try again soon");
}

TEST_F(MachineTest, KnowsWhatTheGuestLacksOnceItAnswered) {
  Machine::Options options;
  options.tools = {"sh", "cobc"};
  start(RevertPolicy::on_fault, {true, true}, Started::restored, std::move(options));
  EXPECT_TRUE(machine_->missing_tools({"cobc"}).empty());
  guest_ = first_.accept();
  const auto hello = guest_->expect(FrameType::hello);
  EXPECT_EQ(protocol::decode_hello(hello.payload).tools, (std::vector<std::string>{"sh", "cobc"}));
  protocol::Welcome welcome;
  welcome.version = "scripted";
  welcome.tools = {"sh"};
  guest_->send(FrameType::welcome, 0, hello.nonce, protocol::encode(welcome));
  auto outcome = run();
  serve("");
  outcome.get();
  EXPECT_EQ(machine_->missing_tools({"sh", "cobc"}), std::vector<std::string>{"cobc"});
}

}  // namespace
}  // namespace pbotvm::machine

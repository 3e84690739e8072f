// SPDX-License-Identifier: MIT
#include "machine/machine.h"

#include <Poco/AutoPtr.h>
#include <Poco/Channel.h>
#include <Poco/Logger.h>
#include <Poco/Message.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <future>
#include <semaphore>
#include <set>

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

// Keeps names only.
class FakeSnapshots : public HypervisorSnapshots {
 public:
  std::vector<Snapshot> list(const Deadline&) override {
    std::lock_guard lock(mutex_);
    return kept_;
  }
  void create(const std::string& name, const Deadline&) override {
    std::lock_guard lock(mutex_);
    kept_.push_back({name, {}, 0, false});
  }
  void revert_to(const std::string& name, const Deadline&) override {
    std::lock_guard lock(mutex_);
    bool found = false;
    for (auto& one : kept_) found = (one.current = one.name == name) || found;
    if (!found) throw Error(ErrorCode::refused, "no snapshot '" + name + "'");
  }
  void remove(const std::string& name, const Deadline&) override {
    std::lock_guard lock(mutex_);
    std::erase_if(kept_, [&](const auto& one) { return one.name == name; });
  }

 private:
  std::mutex mutex_;
  std::vector<Snapshot> kept_{{"1", {}, 0, true}};
};

class FakeEvents : public HypervisorEvents {
 public:
  std::optional<HypervisorEvent> take_event() override {
    std::lock_guard lock(mutex_);
    return std::exchange(event_, std::nullopt);
  }
  void happen(HypervisorEvent event) {
    std::lock_guard lock(mutex_);
    event_ = std::move(event);
  }

 private:
  std::mutex mutex_;
  std::optional<HypervisorEvent> event_;
};

// A start that hangs until somebody interrupts it.
class FakeInterruption : public HypervisorInterruption {
 public:
  void interrupt() noexcept override { interrupted_.release(); }
  void hang(const Deadline& deadline) {
    if (!interrupted_.try_acquire_until(deadline.point())) throw Error(ErrorCode::timed_out, "it did not start");
    throw Error(ErrorCode::unavailable, "its start was given up");
  }

 private:
  std::counting_semaphore<> interrupted_{0};
};

// A back end whose machine is a socket pair; counts what it is asked for.
class FakeHypervisor : public Hypervisor {
 public:
  struct Counts {
    FakeSnapshots named;
    FakeEvents events;
    FakeInterruption interruption;
    std::atomic<int> starts{0}, reverts{0}, stops{0}, snapshots{0};
    std::atomic<bool> revert_fails{false}, start_fails{false}, start_hangs{false}, up{false};
  };
  FakeHypervisor(Counts& counts, HypervisorAbilities abilities, Started started)
      : counts_(counts), abilities_(abilities), started_(started) {}
  HypervisorAbilities abilities() const noexcept override { return abilities_; }
  Started start(const Deadline& deadline) override {
    ++counts_.starts;
    if (counts_.start_hangs) counts_.interruption.hang(deadline);
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
  void* extension(std::string_view identifier) override {
    if (identifier == HypervisorSnapshots::identifier && abilities_.reverts) {
      return static_cast<HypervisorSnapshots*>(&counts_.named);
    }
    if (identifier == HypervisorInterruption::identifier)
      return static_cast<HypervisorInterruption*>(&counts_.interruption);
    return identifier == HypervisorEvents::identifier ? static_cast<HypervisorEvents*>(&counts_.events) : nullptr;
  }

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
      if (!changed.wait_for(lock, 60s, [this] { return !guests.empty(); })) throw std::runtime_error("nobody connects");
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

// Keeps what the machine logs.
class Ear : public Poco::Channel {
 public:
  void log(const Poco::Message& message) override {
    std::lock_guard lock(mutex_);
    lines_.push_back(message.getText());
  }
  long count(const std::string& part) {
    std::lock_guard lock(mutex_);
    return std::count_if(lines_.begin(), lines_.end(), [&](const auto& line) { return line.find(part) != line.npos; });
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

class MachineTest : public testing::Test {
 protected:
  MachineTest() : ear_(new Ear) { Poco::Logger::get("machine").setChannel(ear_); }
  ~MachineTest() override {
    if (machine_) machine_->shut_down();
    Poco::Logger::get("machine").setChannel(nullptr);
  }

  void start(RevertPolicy policy = RevertPolicy::on_fault, HypervisorAbilities abilities = {true, true},
             Started started = Started::restored, Machine::Options options = {}) {
    config::MachineConfiguration configuration;
    configuration.settings.name = "test";
    configuration.revert = policy;
    configuration.hypervisor.plugin = "fake";
    configuration.slots = slots_;
    configuration.boot_timeout = boot_timeout_;
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
    guest_->welcome(slots_);
  }

  void await_ready() {
    while (machine_->status().state != State::ready) std::this_thread::yield();
  }

  // A job whose client listens.
  std::shared_ptr<Execution> submit(Job job = make_job(), bool more_input = false) {
    Execution::Options options;
    options.progress = true;
    options.more_input = more_input;
    return machine_->submit(std::move(job), options);
  }

  std::uint32_t begun_job() { return guest_->expect(FrameType::job).job; }

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

  Poco::AutoPtr<Ear> ear_;
  FakeHypervisor::Counts counts_;
  FakeTransport::Line first_, second_;
  std::uint32_t slots_ = 1;
  std::chrono::milliseconds boot_timeout_{60'000};
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
  auto slow = run(1s);  // until then what it has printed is there
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

TEST_F(MachineTest, LetsClientsWaitForAMachineThatIsStartedAgainAtOnce) {
  slots_ = 1;
  start_ready();
  auto lost = run();
  begun_job();
  auto waiting = run();
  while (machine_->status().waiting == 0) std::this_thread::yield();
  counts_.up = false;
  EXPECT_EQ(printed(lost.get()), "unavailable: the machine has ended");
  guest_ = first_.accept();
  guest_->welcome();
  serve("of the next life");
  EXPECT_EQ(printed(waiting.get()), "of the next life");
  EXPECT_EQ(ear_->count("trying again at once"), 1);
}

TEST_F(MachineTest, StartsAMachineAgainWhoseBootHangs) {
  boot_timeout_ = 500ms;
  start(RevertPolicy::on_fault, {true, true}, Started::fresh);
  guest_ = first_.accept();  // it says nothing
  EXPECT_THAT(printed(run().get()), HasSubstr("does not answer"));
  while (counts_.starts < 2) std::this_thread::yield();
  EXPECT_EQ(counts_.stops, 1);
  EXPECT_EQ(ear_->count("trying again in 1 s"), 1);
}

TEST_F(MachineTest, SaysWhyAMachineEndedWhileItCameUp) {
  start(RevertPolicy::on_fault, {true, true}, Started::fresh);
  guest_ = first_.accept();
  counts_.events.happen({HypervisorEvent::Kind::panicked, "Kernel panic - not syncing: no init"});
  counts_.up = false;
  EXPECT_THAT(printed(run().get()), HasSubstr("the machine has ended: Kernel panic - not syncing: no init"));
}

TEST_F(MachineTest, TellsThoseWhoWaitAtOnceThatAMachineWhichServedDoesNotStartAgain) {
  start_ready();
  auto lost = run();
  begun_job();
  auto waiting = run();
  while (machine_->status().waiting == 0) std::this_thread::yield();
  counts_.start_fails = true;
  const auto begun = Deadline::Clock::now();
  counts_.up = false;
  EXPECT_EQ(printed(lost.get()), "unavailable: the machine has ended");
  EXPECT_THAT(printed(waiting.get()), HasSubstr("no such image"));
  EXPECT_THAT(printed(run().get()), HasSubstr("no such image"));
  EXPECT_LT(Deadline::Clock::now() - begun, 8s);  // the queue's time-out is 10
  counts_.start_fails = false;
  guest_ = first_.accept();
  guest_->welcome();
  await_ready();
  auto next = run();
  serve("it is back");
  EXPECT_EQ(printed(next.get()), "it is back");
}

TEST_F(MachineTest, TellsClientsAtOnceWhileAMachinePausesThatFailsAgainAndAgain) {
  start_ready();
  await_ready();
  counts_.up = false;  // the first time: started again at once
  guest_ = first_.accept();
  guest_->welcome();
  await_ready();
  auto lost = run();
  begun_job();
  auto waiting = run();
  while (machine_->status().waiting == 0) std::this_thread::yield();
  counts_.up = false;
  for (auto* outcome : {&lost, &waiting}) EXPECT_EQ(printed(outcome->get()), "unavailable: the machine has ended");
  EXPECT_EQ(printed(run().get()), "unavailable: the machine has ended");
  guest_ = first_.accept();
  EXPECT_EQ(printed(run().get()), "unavailable: the machine has ended");  // it starts, and nobody knows whether it will
  guest_->welcome();
  await_ready();
  auto next = run();
  serve("it is back");
  EXPECT_EQ(printed(next.get()), "it is back");
  EXPECT_EQ(ear_->count("trying again in 1 s"), 1);
}

TEST_F(MachineTest, TellsClientsAtOnceOfASilentGuestWhereRevertingIsTurnedOff) {
  start_ready(RevertPolicy::never);
  await_ready();
  guest_->close();
  while (machine_->status().state != State::failed) std::this_thread::yield();
  EXPECT_THAT(printed(run().get()), HasSubstr("unavailable: "));
  guest_ = first_.accept();
  guest_->welcome();
  await_ready();
  EXPECT_EQ(counts_.starts, 1);
  EXPECT_EQ(counts_.stops, 0);
}

TEST_F(MachineTest, RunsAsManyJobsAtOneTimeAsTheGuestHasSlots) {
  slots_ = 2;
  start(RevertPolicy::on_fault);
  guest_ = first_.accept();
  const auto hello = guest_->expect(FrameType::hello);
  EXPECT_EQ(protocol::decode_hello(hello.payload).slots, 2u);
  protocol::Welcome welcome;
  welcome.slots = 3;  // more than it was asked for
  guest_->send(FrameType::welcome, 0, hello.nonce, protocol::encode(welcome));
  auto one = run(), two = run();
  const auto first = begun_job(), second = begun_job();
  auto three = run();
  while (machine_->status().waiting == 0) std::this_thread::yield();
  EXPECT_EQ(machine_->status().running, 2u);
  EXPECT_EQ(machine_->status().slots, 2u);
  guest_->finish(second);
  const auto third = begun_job();
  guest_->finish(first);
  guest_->finish(third);
  for (auto* outcome : {&one, &two, &three}) EXPECT_EQ(printed(outcome->get()), "");
}

TEST_F(MachineTest, TakesWhatTheGuestGivesWhereItHasFewerSlots) {
  slots_ = 4;
  start();
  guest_ = first_.accept();
  guest_->welcome(1);
  auto one = run();
  const auto first = begun_job();
  auto two = run();
  while (machine_->status().waiting == 0) std::this_thread::yield();
  EXPECT_EQ(machine_->status().slots, 1u);
  guest_->finish(first);
  guest_->finish(begun_job());
  one.get();
  two.get();
}

TEST_F(MachineTest, AsksForOneSlotWhereEveryJobGetsAPristineMachine) {
  slots_ = 4;
  start(RevertPolicy::always);
  guest_ = first_.accept();
  const auto hello = guest_->expect(FrameType::hello);
  EXPECT_EQ(protocol::decode_hello(hello.payload).slots, 1u);
}

TEST_F(MachineTest, OneJobsFaultTakesNoOthersJobAway) {
  slots_ = 2;
  start_ready();
  auto slow = run(), good = run();
  const auto first = begun_job(), second = begun_job();
  guest_->finish(first, Limit::wall);
  auto next = run();
  while (machine_->status().state != State::draining || machine_->status().waiting == 0) std::this_thread::yield();
  EXPECT_EQ(counts_.reverts, 0);
  guest_->output(second, "whole");
  guest_->finish(second);
  guest_->welcome(slots_);  // it was reverted only now
  EXPECT_EQ(counts_.reverts, 1);
  serve("after");
  std::multiset<std::string> printed_by{printed(slow.get()), printed(good.get())};
  EXPECT_EQ(printed_by, (std::multiset<std::string>{"", "whole"}));
  EXPECT_EQ(printed(next.get()), "after");
}

TEST_F(MachineTest, WhatTheGuestSaysWronglyOfOneJobTakesNoOthersJobAway) {
  slots_ = 2;
  start_ready();
  auto one = run(), two = run();
  const auto bad = begun_job(), good = begun_job();
  guest_->send(FrameType::result, bad, guest_->nonce(), "[]");
  EXPECT_EQ(guest_->expect(FrameType::cancel).job, bad);
  guest_->output(good, "whole");
  guest_->finish(good);
  guest_->welcome(slots_);
  std::vector<std::string> replies{printed(one.get()), printed(two.get())};
  EXPECT_THAT(replies, testing::UnorderedElementsAre("whole", HasSubstr("bad message")));
  EXPECT_EQ(counts_.reverts, 1);
}

TEST_F(MachineTest, BeginsNoJobWhereItLostSightOfOneUntilTheOthersEndedAndAConversationIsNew) {
  slots_ = 2;
  start_ready(RevertPolicy::on_fault, {false, false});
  auto bad = run();
  const auto lost = begun_job();
  auto good = run();
  const auto other = begun_job();
  const auto nonce = guest_->nonce();
  guest_->send(FrameType::result, lost, guest_->nonce(), "[]");
  bad.get();
  auto next = run();
  guest_->finish(other);
  guest_->welcome(slots_);
  EXPECT_NE(guest_->nonce(), nonce);
  serve("next");
  EXPECT_EQ(printed(next.get()), "next");
  EXPECT_EQ(printed(good.get()), "");
}

TEST_F(MachineTest, TellsAClientOfTheProgressOfItsJob) {
  start_ready();
  const auto execution = submit();
  const auto id = begun_job();
  const auto next = [&] { return std::get<Progress>(execution->next(Deadline::in(5s))); };
  EXPECT_TRUE(std::holds_alternative<Begun>(next()));
  guest_->output(id, "while it runs");
  EXPECT_EQ(std::get<OutputChunk>(next()).bytes, "while it runs");
  guest_->finish(id);
  EXPECT_EQ(std::get<StepResult>(next()).label, "run");
  const auto last = execution->next(Deadline::in(5s));
  EXPECT_EQ(printed(std::get<Outcome>(last)), "while it runs");
}

TEST_F(MachineTest, CancelsAJobThatItsClientWantsNoMoreAndKeepsAMachineThatIsProvenClean) {
  start_ready();
  const auto execution = submit();
  const auto id = begun_job();
  execution->cancel();
  EXPECT_EQ(guest_->expect(FrameType::cancel).job, id);
  guest_->output(id, "so far");
  guest_->finish(id, Limit::cancelled);
  const auto outcome = execution->wait();
  EXPECT_EQ(printed(*outcome), "so far");
  EXPECT_EQ(std::get<Result>(*outcome).limit, Limit::cancelled);
  auto next = run();
  serve("next");
  EXPECT_EQ(printed(next.get()), "next");
  EXPECT_EQ(counts_.reverts, 0);
  EXPECT_EQ(machine_->status().faults, 0u);
}

TEST_F(MachineTest, RevertsAfterACancelledJobThatIsNotProvenToBeGone) {
  start_ready();
  const auto execution = submit();
  const auto id = begun_job();
  execution->cancel();
  guest_->expect(FrameType::cancel);
  guest_->finish(id, Limit::cancelled, false);
  guest_->welcome();
  EXPECT_EQ(counts_.reverts, 1);
}

TEST_F(MachineTest, DoesNotWaitForAJobThatWasCancelledLongerThanItMust) {
  start_ready();
  const auto execution = submit(make_job(1h));
  begun_job();
  execution->cancel();
  const auto outcome = execution->wait();  // the guest says nothing
  EXPECT_EQ(std::get<Result>(*outcome).limit, Limit::cancelled);
  guest_->welcome();
  EXPECT_EQ(counts_.reverts, 1);
}

TEST_F(MachineTest, PassesOnInputThatComesWhileTheJobRuns) {
  start_ready();
  const auto execution = submit(make_job(), true);
  const auto id = begun_job();
  EXPECT_TRUE(execution->add_input("typed"));
  EXPECT_EQ(guest_->expect(FrameType::input).payload, "typed");
  execution->end_input();
  EXPECT_EQ(guest_->expect(FrameType::input).payload, "");
  guest_->finish(id);
  execution->wait();
}

TEST_F(MachineTest, TakesNoMoreOfAClientsInputThanTheGuestLetsThrough) {
  start_ready();
  const auto execution = submit(make_job(), true);
  const auto id = begun_job();
  const std::string piece(100'000, 'i');
  std::size_t given = 0, got = 0;
  while (given < 100'000'000 && execution->add_input(piece)) given += piece.size();
  EXPECT_LT(given, 4'000'000u);  // the guest has given no credit
  while (got < given) {
    const auto size = guest_->expect(FrameType::input).payload.size();
    guest_->send(FrameType::credit, id, guest_->nonce(), protocol::encode_credit(static_cast<std::uint32_t>(size)));
    got += size;
  }
  guest_->finish(id);
  execution->wait();
}

TEST_F(MachineTest, TriesAJobAgainWhereTheGuestsSlotsAreTakenByOthers) {
  start_ready();
  auto outcome = run();
  const auto refused = begun_job();
  guest_->refuse(refused, "busy");
  const auto id = begun_job();
  EXPECT_NE(id, refused);
  guest_->refuse(id, "busy");
  serve("at last");
  EXPECT_EQ(printed(outcome.get()), "at last");
  EXPECT_EQ(counts_.reverts, 0);
}

TEST_F(MachineTest, AsksAGuestThatWasStartedAnewOnceMoreAfterAHello) {
  start_ready(RevertPolicy::on_fault, {false, false});
  auto outcome = run();
  const auto nonce = guest_->nonce();
  guest_->refuse(begun_job(), "no-conversation");
  guest_->welcome();
  EXPECT_NE(guest_->nonce(), nonce);
  serve("not lost");
  EXPECT_EQ(printed(outcome.get()), "not lost");
}

TEST_F(MachineTest, RevertsAMachineWhoseGuestProgramWasStartedAnewAndKeepsTheJob) {
  start_ready();
  auto outcome = run();
  guest_->refuse(begun_job(), "no-conversation");
  guest_->welcome();
  serve("not lost");
  EXPECT_EQ(printed(outcome.get()), "not lost");
  EXPECT_EQ(counts_.reverts, 1);
}

TEST_F(MachineTest, GivesUpAJobWhoseGuestStaysBusy) {
  Machine::Options options;
  options.queue_timeout = 2s;
  start(RevertPolicy::on_fault, {true, true}, Started::restored, std::move(options));
  guest_ = first_.accept();
  guest_->welcome();
  while (machine_->status().state != State::ready) std::this_thread::yield();
  auto outcome = run();
  while (outcome.wait_for(0s) != std::future_status::ready) {
    try {
      guest_->refuse(begun_job(), "busy");
    } catch (const std::runtime_error&) {
      break;
    }
    if (outcome.wait_for(150ms) == std::future_status::ready) break;
  }
  EXPECT_THAT(printed(outcome.get()), HasSubstr("refused"));
  EXPECT_EQ(counts_.reverts, 0);
}

TEST_F(MachineTest, FallsBackFromATransportOverWhichNobodyAnswersAndSaysSoOnce) {
  Machine::Options options;
  options.transport_rest = 0ms;
  start(RevertPolicy::on_fault, {true, true}, Started::restored, std::move(options));
  const auto begun = Deadline::Clock::now();
  auto deaf = first_.accept();
  guest_ = second_.accept();
  EXPECT_LT(Deadline::Clock::now() - begun, 10s);
  guest_->welcome();
  deaf = first_.accept();  // the guest is known to be up now: a second chance
  guest_ = second_.accept();
  guest_->welcome();
  auto outcome = run();
  serve("", Limit::wall);
  outcome.get();
  deaf = first_.accept();  // after the revert
  guest_ = second_.accept();
  guest_->welcome();
  deaf = first_.accept();
  guest_ = second_.accept();
  guest_->welcome();
  auto next = run();
  serve("over the second");
  EXPECT_EQ(printed(next.get()), "over the second");
  EXPECT_EQ(ear_->count("transport first does not work"), 1);
}

TEST_F(MachineTest, UsesThePreferredTransportAgainAfterARevertWhereItWorksAgain) {
  Machine::Options options;
  options.transport_rest = 0ms;
  first_.refuses = true;
  start(RevertPolicy::on_fault, {true, true}, Started::restored, std::move(options));
  guest_ = second_.accept();
  guest_->welcome();
  auto outcome = run();
  const auto id = begun_job();
  {
    std::lock_guard lock(first_.mutex);
    first_.refuses = false;
  }
  guest_->finish(id, Limit::wall);
  outcome.get();
  guest_ = first_.accept();
  guest_->welcome();
  auto next = run();
  serve("over the first");
  EXPECT_EQ(printed(next.get()), "over the first");
  EXPECT_EQ(ear_->count("transport first works again"), 1);
}

TEST_F(MachineTest, LeavesATransportThatDidNotWorkAloneForAWhile) {
  first_.refuses = true;
  start();
  guest_ = second_.accept();
  guest_->welcome();
  auto outcome = run();
  const auto id = begun_job();
  {
    std::lock_guard lock(first_.mutex);
    first_.refuses = false;
  }
  guest_->finish(id, Limit::wall);
  outcome.get();
  guest_->welcome();  // over the same stream
  auto next = run();
  serve("over the second");
  EXPECT_EQ(printed(next.get()), "over the second");
}

TEST_F(MachineTest, OpensAStreamAnewThatDidNotSurviveARevert) {
  start_ready();
  auto outcome = run();
  const auto id = begun_job();
  guest_->finish(id, Limit::wall);
  outcome.get();
  guest_->expect(FrameType::hello);
  guest_->close();
  guest_ = first_.accept();
  guest_->welcome();
  auto next = run();
  serve("anew");
  EXPECT_EQ(printed(next.get()), "anew");
  EXPECT_EQ(ear_->count("does not work"), 0);
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
  options.warm_up = {{make_job(), {}}, {make_job(), {}}};
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

TEST_F(MachineTest, DoesNotWaitForAStartThatHangsWhenItIsShutDown) {
  counts_.start_hangs = true;
  start();
  while (counts_.starts == 0) std::this_thread::yield();
  const auto begun = std::chrono::steady_clock::now();
  machine_->shut_down();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 30s);  // a start has 60 s
  EXPECT_EQ(counts_.starts, 1);
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

std::string names(const std::vector<Snapshot>& snapshots) {
  std::string text;
  for (const auto& one : snapshots) text += one.name + (one.current ? "* " : " ");
  return text;
}

TEST_F(MachineTest, ListsItsSnapshotsAtOnceAndMakesOneWhenTheRunningJobHasEnded) {
  start_ready();
  auto outcome = run();
  const auto id = guest_->expect(FrameType::job).job;
  auto making = std::async(std::launch::async, [this] {
    return names(machine_->snapshots({SnapshotRequest::Action::create, "two"}));
  });
  while (machine_->status().state != State::draining) std::this_thread::yield();
  EXPECT_EQ(names(machine_->snapshots({})), "1* ");
  guest_->finish(id);
  outcome.get();
  EXPECT_EQ(making.get(), "1* two ");
  EXPECT_EQ(names(machine_->snapshots({SnapshotRequest::Action::remove, "two"})), "1* ");
  auto next = run();
  serve("on it goes");
  EXPECT_EQ(printed(next.get()), "on it goes");
}

TEST_F(MachineTest, RevertsToANamedSnapshotAndSaysHelloAgain) {
  start_ready();
  await_ready();
  machine_->snapshots({SnapshotRequest::Action::create, "two"});
  auto reverting = std::async(std::launch::async, [this] {
    return names(machine_->snapshots({SnapshotRequest::Action::revert, "two"}));
  });
  guest_->welcome();
  EXPECT_EQ(reverting.get(), "1 two* ");
  EXPECT_EQ(machine_->status().state, State::ready);
  EXPECT_EQ(machine_->status().reverts, 1u);
}

TEST_F(MachineTest, ServesOnAfterASnapshotThatIsNotThereWasAskedFor) {
  start_ready();
  await_ready();
  EXPECT_THROW(machine_->snapshots({SnapshotRequest::Action::revert, "none"}), Error);
  auto outcome = run();
  serve("untouched");
  EXPECT_EQ(printed(outcome.get()), "untouched");
  EXPECT_EQ(machine_->status().faults, 0u);
}

TEST_F(MachineTest, HasNoNamedSnapshotsWhereItsHypervisorKeepsNone) {
  start_ready(RevertPolicy::on_fault, {false, false});
  EXPECT_THROW(machine_->snapshots({}), Error);
}

TEST_F(MachineTest, RevertsAMachineWhoseGuestPanicked) {
  start_ready();
  await_ready();
  counts_.events.happen({HypervisorEvent::Kind::panicked, "kernel panic - not syncing"});
  guest_ = first_.accept();  // after a panic nothing on the old line is believed
  guest_->welcome();
  await_ready();
  EXPECT_EQ(counts_.reverts, 1);
  EXPECT_EQ(ear_->count("kernel panic - not syncing"), 2);  // the event, and why it is reverted
}

TEST_F(MachineTest, OnlyTellsOfOtherEvents) {
  start_ready();
  counts_.events.happen({HypervisorEvent::Kind::resumed, "it runs again"});
  while (ear_->count("it runs again") == 0) std::this_thread::yield();
  EXPECT_EQ(machine_->status().state, State::ready);
  EXPECT_EQ(counts_.reverts, 0);
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

TEST_F(MachineTest, AsksAfterNewToolsBetweenTwoJobsAndHoldsNoneBackForThat) {
  Machine::Options options;
  options.tools = {"sh"};
  start(RevertPolicy::on_fault, {true, true}, Started::restored, std::move(options));
  guest_ = first_.accept();
  const auto welcome = [this](const std::vector<std::string>& has) {
    const auto hello = guest_->expect(FrameType::hello);
    protocol::Welcome answer;
    answer.version = "scripted";
    answer.tools = has;
    guest_->send(FrameType::welcome, 0, hello.nonce, protocol::encode(answer));
    return protocol::decode_hello(hello.payload).tools;
  };
  welcome({"sh"});
  auto running = run();
  const auto id = guest_->expect(FrameType::job).job;
  machine_->ask_after({"cobc", "ruby", "sh"});
  // What it was not asked after is not said to be missing.
  EXPECT_TRUE(machine_->missing_tools({"cobc", "ruby"}).empty());
  EXPECT_EQ(machine_->missing_tools_for_sure({"sh", "ruby"}), std::nullopt);
  EXPECT_EQ(machine_->missing_tools_for_sure({"sh"}), std::vector<std::string>());
  guest_->output(id, "not disturbed");
  guest_->finish(id);
  EXPECT_EQ(printed(running.get()), "not disturbed");
  EXPECT_EQ(welcome({"ruby", "sh"}), (std::vector<std::string>{"cobc", "ruby", "sh"}));
  auto after = run();
  serve("after");
  EXPECT_EQ(printed(after.get()), "after");
  EXPECT_EQ(machine_->missing_tools({"cobc", "ruby", "sh"}), std::vector<std::string>{"cobc"});
  EXPECT_EQ(machine_->missing_tools_for_sure({"cobc", "ruby", "sh"}), std::vector<std::string>{"cobc"});
  EXPECT_EQ(counts_.reverts, 0);
}

TEST_F(MachineTest, PassesOverWarmUpsWhoseToolsTheGuestLacksAndThoseBeyondItsTime) {
  Machine::Options options;
  options.tools = {"sh", "cobc"};
  options.warm_up = {{make_job(), {"cobc"}}, {make_job(), {"sh"}}, {make_job(), {"sh"}}};
  options.warm_up_time = 500ms;
  start(RevertPolicy::on_fault, {true, true}, Started::fresh, std::move(options));
  guest_ = first_.accept();
  const auto hello = guest_->expect(FrameType::hello);
  protocol::Welcome answer;
  answer.version = "scripted";
  answer.tools = {"sh"};
  guest_->send(FrameType::welcome, 0, hello.nonce, protocol::encode(answer));
  const auto id = guest_->expect(FrameType::job).job;
  std::this_thread::sleep_for(600ms);  // the whole budget
  guest_->output(id, "warm");
  guest_->finish(id);
  auto outcome = run();
  serve("client");
  EXPECT_EQ(printed(outcome.get()), "client");
  EXPECT_EQ(counts_.snapshots, 1);
}

}  // namespace
}  // namespace pbotvm::machine

// SPDX-License-Identifier: MIT

// The part of Machine that finds a way to its guest.

#include <Poco/Logger.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "machine/helpers.h"
#include "machine/machine.h"
#include "machine/session_factory.h"
#include "pbotvm/error.h"

namespace pbotvm::machine {

using namespace std::chrono_literals;
using config::RevertPolicy;

namespace {

constexpr auto connect_time = 1s;       // one transport, until it is connected
constexpr auto hello_interval = 250ms;  // a hello is lost while the guest does not listen yet
constexpr auto slow_boot = 60s;         // after which a boot that shows nothing is worth a line in the log
// Between two rounds through all transports of a guest that is up. The longer one comes every other time: a guest drops
// half a frame of an earlier host when nothing came for 2 s.
constexpr auto short_pause = 250ms, long_pause = 2300ms;

Poco::Logger& log() {
  return Poco::Logger::get("machine");
}

}  // namespace

// Goes through the transports until the guest answers over one.
void Machine::converse(const Deadline& deadline, bool guest_is_up) {
  std::map<std::size_t, std::string> problems;
  std::string problem = "no transport is configured";
  bool second_chance = true, said = false;
  for (bool patient = false; !stopping_; patient = !patient) {
    bool was_up = true;  // when each of the transports was tried
    bool again = false;
    for (const std::size_t way : ways_in_order()) {
      problem = try_way(way, deadline, guest_is_up);
      if (stopping_) break;
      if (problem.empty()) {
        // Those before it may just have come too early, for a guest that was not up yet, as it is now.
        again = std::exchange(second_chance, false) && !was_up;
        guest_is_up = true;
        if (again) break;
        return note_ways(way, problems);
      }
      problems[way] = problem;
      was_up = was_up && (beat_seen() || (guest_is_up && !session_));
      session_.reset();
    }
    if (again) continue;
    if (stopping_ || deadline.expired() || !parts_.hypervisor->running()) break;
    const bool known_up = guest_is_up || beat_seen();
    if (known_up && !std::exchange(said, true)) log().warning("%s: %s; trying again", name(), problem);
    wait_without_session(earlier(deadline, Deadline::in(patient && known_up ? long_pause : short_pause)));
    take_commands(false);
  }
  if (stopping_) throw Error(ErrorCode::unavailable, "the host is shutting down");
  if (!parts_.hypervisor->running()) problem += "; the machine has ended" + last_words();
  throw Error(ErrorCode::timed_out, problem, "look at its console, and whether pbotvm-guest runs in it");
}

// What the back end has to say of a machine that ended while it came up.
std::string Machine::last_words() {
  std::string words;
  while (events_) {
    const auto event = hypervisor_call("take_event", [&] { return events_->take_event(); });
    if (!event) break;
    log().warning("%s: %s", name(), event->text);
    words = ": " + event->text;
  }
  return words;
}

// By preference; those that did not work a moment ago come last: trying them costs a second.
std::vector<std::size_t> Machine::ways_in_order() const {
  std::vector<std::size_t> order(ways_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto now = Clock::now();
  std::stable_partition(order.begin(), order.end(), [&](std::size_t way) { return ways_[way].rests_until <= now; });
  return order;
}

// Why the guest does not answer over that transport; empty when it does. session_ is null where not even a stream was
// to be had.
std::string Machine::try_way(std::size_t way, const Deadline& deadline, bool guest_is_up) {
  auto& [name, transport] = parts_.transports[way];
  // After a revert the stream is often still there: the new hello's nonce tells old words from new ones.
  if (session_ && session_name_ == name && say_hello(deadline, guest_is_up).empty()) return {};
  session_.reset();
  if (stopping_) return "the host is shutting down";
  try {
    session_ = open_session(configuration_.protocol, name, *transport, earlier(deadline, Deadline::in(connect_time)));
    session_name_ = name;
  } catch (const Error& e) {
    return e.what();
  }
  return say_hello(deadline, guest_is_up);
}

std::string Machine::say_hello(const Deadline& deadline, bool guest_is_up) {
  try {
    welcomed_ = false;
    {
      std::lock_guard lock(mutex_);
      greeted_with_ = wanted_tools_;
    }
    session_->hello({greeted_with_, wanted_slots(), configuration_.network});
    pump();
    if (await_welcome(deadline, guest_is_up)) return {};
  } catch (const Error& e) {
    return e.what();
  }
  return session_name_ + ": the guest does not answer";
}

// A machine that is pristine for every job has one at a time, and so has PBot's dialect.
std::uint32_t Machine::wanted_slots() const {
  if (configuration_.revert == RevertPolicy::always || configuration_.protocol == config::Dialect::pbot) return 1;
  return configuration_.slots;
}

// Says once what does not work, and once that it works again.
void Machine::note_ways(std::size_t chosen, const std::map<std::size_t, std::string>& problems) {
  const auto name_of = [this](std::size_t way) -> const std::string& { return parts_.transports[way].name; };
  for (const auto& [way, problem] : problems) {
    if (way == chosen) continue;
    ways_[way].rests_until = Clock::now() + options_.transport_rest;
    if (way > chosen || std::exchange(ways_[way].said, true)) continue;
    log().warning("%s: transport %s does not work: %s; using %s", name(), name_of(way), problem, name_of(chosen));
  }
  ways_[chosen].rests_until = {};
  if (std::exchange(ways_[chosen].said, false)) {
    log().information("%s: transport %s works again", name(), name_of(chosen));
  }
}

bool Machine::await_welcome(const Deadline& deadline, bool guest_is_up) {
  // While the guest boots there is nothing to fall back from: the wait for this transport begins with its first beat.
  std::optional<Deadline> patience;
  auto repeat = Deadline::in(hello_interval);
  auto slow = Deadline::in(slow_boot);
  while (!welcomed_) {
    if (!patience && (guest_is_up || beat_seen())) patience = Deadline::in(session_->patience());
    if (stopping_ || deadline.expired() || (patience && patience->expired())) return false;
    wait(earlier(earlier(deadline, repeat), patience.value_or(deadline)));
    take_commands(false);
    if (!parts_.hypervisor->running()) return false;
    if (!patience && slow.expired()) {
      slow = deadline;
      log().warning("%s: its guest has not given a sign for %s since it was powered on; it has %s more", name(),
                    seconds_text(slow_boot), seconds_text(deadline.remaining()));
    }
    if (!welcomed_ && repeat.expired()) {
      session_->repeat_hello();
      repeat = Deadline::in(hello_interval);
    }
  }
  return true;
}

}  // namespace pbotvm::machine

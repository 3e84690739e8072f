// SPDX-License-Identifier: MIT
#include <chrono>
#include <fstream>
#include <thread>

#include "contracts.h"
#include "pbotvm/settings_check.h"
#include "plugin/guard.h"

namespace pbotvm::contract {

namespace {

using namespace std::chrono_literals;

// What a host gives each call.
constexpr auto start_time = 60s, snapshot_time = 120s, revert_time = 20s, stop_time = 5s;
constexpr auto at_once = 1s;  // for what never blocks, on a busy system
constexpr auto settling = 5s;
const char* const stray_key = "no-such-key";

class Bench {
 public:
  Bench(std::string name, HypervisorFactory& factory, const std::string& settings)
      : name_(std::move(name)), factory_(factory), settings_(replaced(settings, "%folder%", folder_.path())) {
    std::filesystem::permissions(folder_.path(), std::filesystem::perms(0777));  // the machine may be another user's
    machine_.name = "checked";
    machine_.domain = "checked";
    machine_.virtio_serial = Endpoint::unix_socket(folder_.path() / "data.sock");
    machine_.heart = Endpoint::unix_socket(folder_.path() / "heart.sock");
    machine_.directory = folder_.path();
    machine_.image = folder_.path();
  }

  std::unique_ptr<Hypervisor> make(const std::string& more = {}) {
    auto made = plugin::guarded({"hypervisor", name_, "create"}, [&] { return factory_.create(machine_, read(more)); });
    demand(made != nullptr, "create() returned null");
    return made;
  }

  SettingsCheck* settings_check() { return dynamic_cast<SettingsCheck*>(&factory_); }
  void check(const std::string& more = {}) { settings_check()->check(machine_, read(more)); }

  void demand_lines(const std::string& when) const {
    for (const auto& line : {machine_.virtio_serial, machine_.heart}) {
      try {
        connect_endpoint(line, Deadline::in(settling));
      } catch (const Error& error) {
        throw Broken(when + " its line cannot be connected to: " + error.what());
      }
    }
  }

  void demand_no_lines() const {
    for (const auto& line : {machine_.virtio_serial, machine_.heart}) {
      try {
        connect_endpoint(line, Deadline::in(settling));
      } catch (const Error&) {
        continue;
      }
      throw Broken("after stop() somebody still listens at " + line.text());
    }
  }

 private:
  Settings read(const std::string& more) const {
    const auto end = settings_.find_last_of('}');
    const bool empty = settings_.find_first_not_of("{ \n") == end;
    return Settings::parse(more.empty() ? settings_ : settings_.substr(0, end) + (empty ? "" : ", ") + more + "}",
                           "settings");
  }

  TemporaryFolder folder_;
  std::string name_;
  HypervisorFactory& factory_;
  std::string settings_;
  MachineSettings machine_;
};

bool running(Hypervisor& hypervisor) {
  // The best of three: a busy system can hold up any single call.
  for (int attempt = 0; attempt < 3; ++attempt) {
    const auto begun = Deadline::Clock::now();
    const bool runs = hypervisor.running();
    if (Deadline::Clock::now() - begun < at_once) return runs;
  }
  throw Broken("running() took longer than a second, three times; it must never block");
}

// Of this process: a machine that was ended must not stay as a zombie either.
std::string children() {
  std::string all;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream list(task.path() / "children");
    std::string line;
    if (std::getline(list, line)) all += line;
  }
  return all;
}

void stop(Hypervisor& hypervisor) {
  const auto begun = Deadline::Clock::now();
  hypervisor.stop(Deadline::in(stop_time));
  demand(Deadline::Clock::now() - begun < stop_time + settling, "stop() came back long after its deadline");
  demand(!running(hypervisor), "running() is true after stop()");
}

void check_unstarted(Bench& bench) {
  const auto hypervisor = bench.make();
  if (hypervisor->abilities().starts) {
    demand(!running(*hypervisor), "running() is true before start()");
    stop(*hypervisor);
    stop(*hypervisor);
  } else {
    demand(hypervisor->start(Deadline::in(start_time)) == Started::restored,
           "a hypervisor that starts no machines returns Started::restored at once");
    hypervisor->stop(Deadline::in(stop_time));
  }
  demand(hypervisor->extension("pbotvm.no-such-interface/1") == nullptr,
         "extension() returns something for an identifier that nobody has");
  auto* events = static_cast<HypervisorEvents*>(hypervisor->extension(HypervisorEvents::identifier));
  if (events != nullptr) demand(!events->take_event(), "there is an event before anything happened");
}

void check_life(Bench& bench) {
  const auto hypervisor = bench.make();
  const auto abilities = hypervisor->abilities();
  demand(abilities.starts, "it starts no machines, so there is nothing that START could try");
  const auto started = hypervisor->start(Deadline::in(start_time));
  demand(running(*hypervisor), "running() is false after start()");
  bench.demand_lines("after start()");
  demand_one_line(hypervisor->description(), "description()");
  if (abilities.reverts) {
    if (started == Started::fresh) hypervisor->take_snapshot(Deadline::in(snapshot_time));
    demand(running(*hypervisor), "running() is false after take_snapshot()");
    hypervisor->revert(Deadline::in(revert_time));
    demand(running(*hypervisor), "running() is false after revert()");
    bench.demand_lines("after revert()");
  }
  stop(*hypervisor);
  bench.demand_no_lines();
  demand(children().empty(), "after stop() there are processes left: " + children());
}

// What a host does after a failure: stop and start again, and what was left may be anything.
void check_again(Bench& bench) {
  const auto hypervisor = bench.make();
  hypervisor->start(Deadline::in(start_time));
  hypervisor->start(Deadline::in(start_time));
  demand(running(*hypervisor), "running() is false after a second start()");
  bench.demand_lines("after a second start()");
  stop(*hypervisor);
  stop(*hypervisor);
  hypervisor->start(Deadline::in(start_time));
  bench.demand_lines("after start() behind stop()");
  auto* events = static_cast<HypervisorEvents*>(hypervisor->extension(HypervisorEvents::identifier));
  for (int i = 0; events != nullptr && i < 100; ++i) {
    const auto event = events->take_event();
    if (!event) break;
    demand(event->kind != HypervisorEvent::Kind::ended, "an end that the host asked for is told as an event");
  }
  stop(*hypervisor);
}

void check_left(Bench& bench) {
  const unsigned before = open_descriptors();
  {
    const auto hypervisor = bench.make();
    hypervisor->start(Deadline::in(start_time));
    stop(*hypervisor);
  }
  demand(open_descriptors() <= before, "descriptors are left open by a machine that is gone");
  bench.make()->start(Deadline::in(start_time));  // and goes at once
  bench.demand_no_lines();
  demand(children().empty(), "a Hypervisor that is destroyed leaves processes behind: " + children());
}

}  // namespace

void check_hypervisor(Checks& checks, const std::string& name, HypervisorFactory& factory, const std::string& settings,
                      bool start) {
  Bench bench(name, factory, settings);
  checks.run("is made, and describes itself in a line",
             [&] { demand_one_line(bench.make()->description(), "description()"); });
  if (checks.broken() != 0) return;
  checks.run("refuses a key that it does not know",
             [&] { demand_refusal_of_key(stray_key, [&] { bench.make(std::string(stray_key) + ": 1"); }); });
  checks.run("checks its settings without leaving a trace (SettingsCheck)", [&] {
    demand(bench.settings_check() != nullptr, "derive the factory from pbotvm::SettingsCheck too");
    bench.check();
    demand_refusal_of_key(stray_key, [&] { bench.check(std::string(stray_key) + ": 1"); });
    bench.demand_no_lines();
  });
  checks.run("is harmless before its machine was started", [&] { check_unstarted(bench); });
  if (!start) return;
  checks.run("starts, puts back and ends its machine", [&] { check_life(bench); });
  if (checks.broken() != 0) return;
  checks.run("starts whatever it finds, and its own stop is no event", [&] { check_again(bench); });
  checks.run("leaves nothing behind", [&] { check_left(bench); });
}

}  // namespace pbotvm::contract

// SPDX-License-Identifier: MIT
#include "machine/machine.h"

#include <Poco/Logger.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "machine/helpers.h"
#include "pbotvm/error.h"
#include "plugin/guard.h"

namespace pbotvm::machine {

using namespace std::chrono_literals;
using config::RevertPolicy;

namespace {

// How long each part of a machine's life may take. Generous where an emulated machine on a busy system is slow.
constexpr auto start_time = 60s;     // back end: until the machine runs
constexpr auto restored_time = 30s;  // guest: snapshot to its first answer
constexpr auto revert_time = 20s;
constexpr auto snapshot_time = 120s;
constexpr auto stop_time = 5s;
constexpr auto cancel_time = 1500ms;
constexpr auto health_time = 3s;
constexpr auto death_throes = 200ms;
constexpr auto look_interval = 1s;    // between two looks at what the back end says
constexpr auto proven_service = 60s;  // after which a failure is a new one, not the old one again

Poco::Logger& log() {
  return Poco::Logger::get("machine");
}

bool is_among(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

std::string_view state_name(State state) {
  switch (state) {
    case State::absent:
      return "absent";
    case State::starting:
      return "starting";
    case State::ready:
      return "ready";
    case State::leased:
      return "leased";
    case State::draining:
      return "draining";
    case State::suspect:
      return "suspect";
    case State::reverting:
      return "reverting";
    case State::failed:
      return "failed";
  }
  return "unknown";
}

namespace {

template <typename Extension>
Extension* extension_of(Hypervisor& hypervisor) {
  return static_cast<Extension*>(hypervisor.extension(Extension::identifier));
}

}  // namespace

Machine::Machine(config::MachineConfiguration configuration, Parts parts, Options options)
    : configuration_(std::move(configuration)),
      parts_(std::move(parts)),
      options_(std::move(options)),
      abilities_(parts_.hypervisor->abilities()),
      named_snapshots_(extension_of<HypervisorSnapshots>(*parts_.hypervisor)),
      events_(extension_of<HypervisorEvents>(*parts_.hypervisor)),
      interruption_(extension_of<HypervisorInterruption>(*parts_.hypervisor)),
      wake_fd_(std::make_shared<const UniqueFd>(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC))),
      queue_(options_.queue_limit, [this] { wake(); }),
      ways_(parts_.transports.size()) {
  if (!*wake_fd_) throw Error(ErrorCode::internal, errno_text("eventfd", errno));
  if (parts_.heartbeat) heartbeat_.emplace(*parts_.heartbeat, configuration_.heartbeat.plugin);
  status_.name = name();
  wanted_tools_ = options_.tools;
}

Machine::~Machine() {
  shut_down();
}

void Machine::start() {
  thread_ = std::thread([this] { thread_main(); });
}

void Machine::shut_down() {
  stopping_ = true;
  queue_.close("the host is shutting down");
  if (interruption_) interruption_->interrupt();
  wake();
  if (thread_.joinable()) thread_.join();
}

Outcome Machine::run(Job job) {
  const auto execution = submit(std::move(job), {});
  if (auto outcome = execution->wait()) return std::move(*outcome);
  return no_slot_in_time();
}

std::shared_ptr<Execution> Machine::submit(Job job, const Execution::Options& options) {
  auto execution = std::make_shared<Execution>(std::move(job), Deadline::in(options_.queue_timeout), options);
  queue_.push(execution);
  return execution;
}

Unavailable Machine::no_slot_in_time() const {
  const auto now = status();
  const bool up = now.state == State::ready || now.state == State::leased;
  return Unavailable{(up ? std::string("busy") : "it is " + std::string(state_name(now.state))) +
                     ", no slot became free within " + seconds_text(options_.queue_timeout) + "; try again soon"};
}

std::vector<std::string> Machine::missing_tools(const std::vector<std::string>& tools) const {
  std::lock_guard lock(mutex_);
  return lacking(tools);
}

std::optional<std::vector<std::string>> Machine::missing_tools_for_sure(const std::vector<std::string>& tools) const {
  std::lock_guard lock(mutex_);
  const bool told = guest_tools_ && std::all_of(tools.begin(), tools.end(),
                                                [this](const auto& tool) { return is_among(asked_tools_, tool); });
  if (!told) return std::nullopt;
  return lacking(tools);
}

std::vector<std::string> Machine::lacking(const std::vector<std::string>& tools) const {
  std::vector<std::string> missing;
  if (!guest_tools_) return missing;
  for (const auto& tool : tools) {
    if (is_among(asked_tools_, tool) && !is_among(*guest_tools_, tool)) missing.push_back(tool);
  }
  return missing;
}

void Machine::ask_after(std::vector<std::string> tools) {
  {
    std::lock_guard lock(mutex_);
    wanted_tools_ = std::move(tools);
  }
  wake();
}

MachineStatus Machine::status() const {
  std::lock_guard lock(mutex_);
  MachineStatus status = status_;
  const auto now = Clock::now();
  status.since = now - state_since_;
  status.waiting = queue_.size();
  if (last_beat_) status.heartbeat_age = now - *last_beat_;
  return status;
}

void Machine::revert() {
  if (!abilities_.reverts) {
    throw Error(ErrorCode::refused,
                "machine '" + name() + "': its hypervisor '" + configuration_.hypervisor.plugin + "' cannot revert",
                "choose one that can, such as qemu, in machines." + name() + ".hypervisor");
  }
  RevertCommand command;
  auto done = command.done.get_future();
  {
    std::lock_guard lock(mutex_);
    refuse_when_ended();
    revert_commands_.push_back(std::move(command));
  }
  wake();
  done.get();
}

Health Machine::health() {
  HealthCommand command{{}, Deadline::in(health_time), {}, false, {}};
  auto done = command.done.get_future();
  {
    std::lock_guard lock(mutex_);
    refuse_when_ended();
    health_commands_.push_back(std::move(command));
  }
  wake();
  return done.get();
}

// Under the mutex. Nobody would answer a command any more.
void Machine::refuse_when_ended() const {
  if (ended_) throw Error(ErrorCode::unavailable, "the host is shutting down");
}

// ---------------------------------------------------------------------------------------------------------------------
// The thread.

void Machine::thread_main() {
  GrowingPause pause;
  while (!stopping_) {
    const std::string problem = live();
    if (stopping_) break;
    // A machine that comes up and dies again and again is not tried at full speed for ever.
    if (served_for() > proven_service) pause.reset();
    const bool starts_anew = abilities_.starts && !is_kept();
    const auto retry = pause.after_failure(serving_since_ && starts_anew);
    give_up(problem, retry > 0s);
    log().warning("%s: trying again %s", name(),
                  retry > 0s ? "in " + std::to_string(retry.count()) + " s" : std::string("at once"));
    for (const auto until = Deadline::in(retry); !stopping_ && !until.expired();) {
      wait_without_session(until);
      take_commands(false);
    }
  }
  wind_down();
}

// One life of the machine: comes back with what ended it.
std::string Machine::live() {
  serving_since_.reset();
  try {
    bring_up();
    serving_since_ = Clock::now();
    serve();
    return "the host is shutting down";
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception of no known type";
  }
}

Machine::Clock::duration Machine::served_for() const {
  return serving_since_ ? Clock::now() - *serving_since_ : Clock::duration::zero();
}

void Machine::bring_up() {
  set_state(State::starting, "it is starting");
  const auto begun = Clock::now();
  Started started = Started::restored;
  if (!parts_.hypervisor->running() || !abilities_.starts) {
    started = hypervisor_call("start", [&] { return parts_.hypervisor->start(Deadline::in(start_time)); });
  }
  const auto up = Clock::now();
  log().information("%s: %s, %s after %s", name(), parts_.hypervisor->description(),
                    std::string(started == Started::fresh ? "booting" : "runs from its snapshot"),
                    seconds_text(up - begun));
  if (heartbeat_) {
    heartbeat_->disconnect();
    heartbeat_->restart(up);
  }
  silent_reverts_ = 0;
  session_name_.clear();
  for (auto& way : ways_) way.rests_until = {};  // a new life begins with the preferred transport
  const bool fresh = started == Started::fresh;
  const bool guest_is_up = !fresh || !heartbeat_;
  converse(Deadline::in(fresh ? configuration_.boot_timeout : restored_time), guest_is_up);
  log().information("%s: guest %s answers over %s after %s", name(), status().guest, session_name_,
                    seconds_text(Clock::now() - begun));
  if (fresh && abilities_.reverts) {
    warm_up();
    const auto saving = Clock::now();
    hypervisor_call("take_snapshot", [&] { parts_.hypervisor->take_snapshot(Deadline::in(snapshot_time)); });
    log().information("%s: snapshot taken in %s", name(), seconds_text(Clock::now() - saving));
    if (heartbeat_) heartbeat_->restart(Clock::now());
  }
  become_ready();
}

void Machine::become_ready() {
  dirty_.clear();
  stale_ = false;
  queue_.open();  // first: whoever sees that it is ready is not turned away
  set_state(State::ready);
  for (auto& command : reverts_asked_) command.done.set_value();
  reverts_asked_.clear();
}

void Machine::serve() {
  while (!stopping_) {
    if (!dirty_.empty() && jobs_.empty()) {
      revert_now();
      continue;
    }
    if (!snapshots_asked_.empty() && jobs_.empty()) {
      obey_snapshot_commands();
      continue;
    }
    if (stale_ && jobs_.empty()) {
      set_state(State::draining, "it may still be busy with a job that was given up");
      converse(Deadline::in(restored_time), true);
      set_state(State::ready);
      stale_ = false;
    }
    ask_again();
    try {
      begin_jobs();
      heed_clients();
      wait(earlier(next_deadline(), Deadline::in(look_interval)));
      if (stopping_) break;
      take_commands(true);
      answer_health();
      expire_jobs();
    } catch (const Error& e) {
      recover(e.what(), true);
    }
    look_after();
  }
}

// A new hello, which asks after the tools of languages that came meanwhile. Between two jobs, without holding any back:
// a language whose tools are not known yet is served as one whose tools are there.
void Machine::ask_again() {
  if (!jobs_.empty() || configuration_.protocol == config::Dialect::pbot) return;
  {
    std::lock_guard lock(mutex_);
    if (wanted_tools_ == greeted_with_) return;
  }
  if (session_ && say_hello(Deadline::in(restored_time), true).empty()) return;
  session_.reset();
  converse(Deadline::in(restored_time), true);
}

// What tells of itself by silence only.
void Machine::look_after() {
  const auto now = Clock::now();
  if (now >= next_look_) {
    next_look_ = now + look_interval;
    heed_events();  // first: what ended it is known better than that it has ended
    if (!parts_.hypervisor->running()) throw Error(ErrorCode::unavailable, "the machine has ended");
  }
  if (!heartbeat_) return;
  if (heartbeat_->last_beat()) silent_reverts_ = 0;
  if (!heartbeat_->overdue(now)) return;
  set_state(State::suspect, "its heartbeat is missing");
  const std::string why = "no heartbeat for " + seconds_text(missed_beats * beat_interval);
  // A snapshot whose guest does not beat either is no cure: the machine is started anew then.
  if (silent_reverts_++ > 0) throw Error(ErrorCode::unavailable, why + ", not after a revert either");
  recover(why, false);
}

// A guest that panicked or stands still is at fault; all else shows itself also in what the machine does.
void Machine::heed_events() {
  while (events_) {
    const auto event = hypervisor_call("take_event", [&] { return events_->take_event(); });
    if (!event) return;
    log().warning("%s: %s", name(), event->text);
    if (event->kind == HypervisorEvent::Kind::panicked) return recover("its guest panicked: " + event->text, true);
    if (event->kind == HypervisorEvent::Kind::paused) return recover("it stands still: " + event->text, true);
  }
}

// Where the operator turned reverting off, a machine stays as it is, for a look at it: a start would be a revert.
bool Machine::is_kept() const {
  return configuration_.revert == RevertPolicy::never && parts_.hypervisor->running();
}

void Machine::give_up(const std::string& why, bool pauses) {
  log().error("%s: %s", name(), why);
  set_state(State::failed, why);
  // Clients go on waiting for a machine that is started again right away; while one pauses they are told at once, and
  // so until it is ready.
  if (pauses) queue_.close(why);
  lose_jobs(why);
  session_.reset();
  if (heartbeat_) heartbeat_->disconnect();
  fail_health(why);
  for (auto& command : reverts_asked_) {
    command.done.set_exception(std::make_exception_ptr(Error(ErrorCode::unavailable, name() + ": " + why)));
  }
  reverts_asked_.clear();
  fail_snapshot_commands(why);
  if (abilities_.starts && !is_kept()) parts_.hypervisor->stop(Deadline::in(stop_time));
}

void Machine::wind_down() {
  queue_.close("the host is shutting down");
  try {
    for (const auto& [id, job] : jobs_) {
      if (!job.ended && session_) session_->cancel(id);
    }
    const auto all_ended = [this] {
      return std::all_of(jobs_.begin(), jobs_.end(), [](const auto& job) { return job.second.ended; });
    };
    for (const auto until = Deadline::in(cancel_time); session_ && !all_ended() && !until.expired();) wait(until);
  } catch (const std::exception& e) {
    log().warning("%s: while ending: %s", name(), std::string(e.what()));
  }
  lose_jobs("the host is shutting down");
  fail_health("the host is shutting down");
  {
    std::lock_guard lock(mutex_);
    ended_ = true;
  }
  take_commands(false);
  for (auto& command : reverts_asked_) {
    command.done.set_exception(std::make_exception_ptr(Error(ErrorCode::unavailable, "the host is shutting down")));
  }
  reverts_asked_.clear();
  fail_snapshot_commands("the host is shutting down");
  session_.reset();
  auto* const handover = extension_of<HypervisorHandover>(*parts_.hypervisor);
  const bool left = handover && handover->leave();
  if (abilities_.starts && !left) parts_.hypervisor->stop(Deadline::in(stop_time));
  set_state(State::absent, "the host is shutting down");
}

// ---------------------------------------------------------------------------------------------------------------------
// The machine itself.

void Machine::recover(const std::string& why, bool line_is_broken) {
  {
    std::lock_guard lock(mutex_);
    ++status_.faults;
  }
  lose_jobs(why);
  fail_health(why);
  if (line_is_broken) session_.reset();
  if (!abilities_.reverts || configuration_.revert == RevertPolicy::never) {
    throw Error(ErrorCode::unavailable, why, "it is not reverted: its configuration or its hypervisor says so");
  }
  // A machine that ends closes its lines a moment before it is gone.
  for (const auto until = Deadline::in(death_throes); !until.expired();
       wait_without_session(earlier(until, Deadline::in(10ms)))) {
    if (!parts_.hypervisor->running()) throw Error(ErrorCode::unavailable, why + "; the machine has ended");
    if (session_) break;  // the line is still there: the guest is at fault, not the machine
  }
  log().warning("%s: %s: reverting", name(), why);
  revert_now();
}

void Machine::revert_now(const std::string& snapshot) {
  set_state(State::reverting, "it is being reverted");
  const auto begun = Clock::now();
  hypervisor_call("revert", [&] {
    const auto deadline = Deadline::in(revert_time);
    snapshot.empty() ? parts_.hypervisor->revert(deadline) : named_snapshots_->revert_to(snapshot, deadline);
  });
  const auto reverted = Clock::now();
  {
    std::lock_guard lock(mutex_);
    ++status_.reverts;
  }
  if (heartbeat_) heartbeat_->restart(reverted);
  converse(Deadline::in(restored_time), true);
  log().information("%s: reverted in %s, ready after %s", name(), seconds_text(reverted - begun),
                    seconds_text(Clock::now() - begun));
  become_ready();
}

// ---------------------------------------------------------------------------------------------------------------------
// Waiting.

Deadline Machine::next_deadline() const {
  auto deadline = Deadline::in(1h);
  for (const auto& [id, job] : jobs_) deadline = earlier(deadline, job.deadline);
  if (!deferred_.empty()) deadline = earlier(deadline, Deadline::at(retry_deferred_));
  if (heartbeat_) deadline = earlier(deadline, Deadline::at(heartbeat_->overdue_at()));
  if (health_asked_) deadline = earlier(deadline, health_asked_->deadline);
  return deadline;
}

void Machine::wait(const Deadline& deadline) {
  if (poll(deadline, session_ ? session_->fd() : -1)) pump();
}

void Machine::wait_without_session(const Deadline& deadline) {
  poll(deadline, -1);
}

// Waits for the line `data` (-1: none), the heartbeat, a wake-up. Whether something can be done on `data`.
bool Machine::poll(const Deadline& deadline, int data) {
  if (heartbeat_) heartbeat_->tick(Clock::now());
  auto until = deadline;
  if (heartbeat_) until = earlier(until, Deadline::at(heartbeat_->due()));
  pollfd fds[3] = {{wake_fd_->get(), POLLIN, 0}, {-1, POLLIN, 0}, {data, POLLIN, 0}};
  if (heartbeat_) fds[1].fd = heartbeat_->fd();
  if (data >= 0 && session_->wants_to_write()) fds[2].events |= POLLOUT;
  if (::poll(fds, 3, until.poll_timeout()) < 0 && errno != EINTR) {
    throw Error(ErrorCode::internal, errno_text("poll", errno));
  }
  if (fds[0].revents != 0) {
    std::uint64_t count;
    (void)!::read(wake_fd_->get(), &count, sizeof count);
  }
  if (heartbeat_ && fds[1].revents != 0) {
    heartbeat_->on_readable(Clock::now());
    std::lock_guard lock(mutex_);
    if (heartbeat_->last_beat()) last_beat_ = heartbeat_->last_beat();
  }
  return fds[2].revents != 0;
}

void Machine::wake() const {
  wake_up(*wake_fd_);
}

void Machine::take_commands(bool serving) {
  std::deque<RevertCommand> reverts;
  std::deque<HealthCommand> healths;
  {
    std::lock_guard lock(mutex_);
    reverts.swap(revert_commands_);
    healths.swap(health_commands_);
  }
  const Error not_now(ErrorCode::unavailable, "machine '" + name() + "' is not ready: " + status().problem,
                      "see `pbotvm status`, and try again when it is ready");
  for (auto& command : reverts) {
    if (!serving) {
      command.done.set_exception(std::make_exception_ptr(not_now));
      continue;
    }
    dirty_ = "asked for by the operator";
    log().information("%s: revert %s", name(), dirty_);
    set_state(State::draining);
    reverts_asked_.push_back(std::move(command));
  }
  take_snapshot_commands(serving, not_now);
  for (auto& command : healths) {
    if (!serving || health_asked_) {
      command.done.set_exception(std::make_exception_ptr(
          serving ? Error(ErrorCode::unavailable, "machine '" + name() + "' is being asked already") : not_now));
      continue;
    }
    health_asked_ = std::move(command);
    health_asked_->pinged = Clock::now();
    session_->ping("health");
    if (heartbeat_) heartbeat_->request_figures();
  }
}

void Machine::answer_health() {
  if (!health_asked_) return;
  if (heartbeat_) {
    if (auto figures = heartbeat_->take_figures()) health_asked_->health.figures = std::move(*figures);
  }
  const bool figures_done = !heartbeat_ || !health_asked_->health.figures.empty();
  if (health_asked_->ponged && figures_done) {
    if (const auto status_now = status(); status_now.heartbeat_age) {
      health_asked_->health.heartbeat_age = status_now.heartbeat_age;
    }
    health_asked_->done.set_value(health_asked_->health);
    health_asked_.reset();
  } else if (health_asked_->deadline.expired()) {
    health_asked_->done.set_exception(std::make_exception_ptr(
        Error(ErrorCode::timed_out, "machine '" + name() + "' does not answer " +
                                        (health_asked_->ponged ? "on its heartbeat line" : "over " + session_name_))));
    health_asked_.reset();
  }
}

void Machine::fail_health(const std::string& why) {
  if (!health_asked_) return;
  health_asked_->done.set_exception(
      std::make_exception_ptr(Error(ErrorCode::unavailable, "machine '" + name() + "': " + why)));
  health_asked_.reset();
}

void Machine::set_state(State state, const std::string& problem) {
  std::lock_guard lock(mutex_);
  if (status_.state != state) state_since_ = Clock::now();
  status_.state = state;
  status_.problem = problem;
}

}  // namespace pbotvm::machine

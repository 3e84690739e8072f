// SPDX-License-Identifier: MIT
#include "machine/machine.h"

#include <Poco/Logger.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <utility>

#include "machine/frame_session.h"
#include "pbotvm/error.h"
#include "plugin/guard.h"

namespace pbotvm::machine {

using namespace std::chrono_literals;
using config::RevertPolicy;

namespace {

// How long each part of a machine's life may take. Generous where an emulated machine on a busy system is slow.
constexpr auto start_time = 60s;        // back end: until the machine runs
constexpr auto boot_time = 120s;        // guest: power-on to its first answer
constexpr auto restored_time = 30s;     // guest: snapshot to its first answer
constexpr auto transport_time = 3s;     // one transport, once the guest is known to be up
constexpr auto hello_interval = 250ms;  // a hello is lost while the guest does not listen yet
constexpr auto answer_grace = 1s;       // beyond a job's wall limit, until the host ends it itself
constexpr auto clean_time = 3s;         // from a job's result to the proof that nothing is left
constexpr auto revert_time = 20s;
constexpr auto snapshot_time = 120s;
constexpr auto warm_up_time = 120s;  // one warm-up job
constexpr auto stop_time = 5s;
constexpr auto cancel_time = 1500ms;
constexpr auto health_time = 3s;
constexpr auto death_throes = 200ms;
constexpr auto look_interval = 1s;    // between two looks at what the back end says
constexpr auto proven_service = 60s;  // after which a failure is a new one, not the old one again

Poco::Logger& log() {
  return Poco::Logger::get("machine");
}

std::string seconds_text(Deadline::Clock::duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return std::to_string(ms / 1000) + "." + std::to_string(ms % 1000 + 1000).substr(1) + " s";
}

std::string aftermath_text(const JobAftermath& aftermath) {
  if (aftermath.protocol_fault) return "a job was not answered as the protocol demands";
  if (!aftermath.proven_clean) return "the guest could not prove that nothing of a job is left: " + aftermath.doubt;
  if (aftermath.limit != Limit::none) {
    return "a job was ended by a limit: " + std::string(protocol::limit_name(aftermath.limit));
  }
  return "a job has run on it";
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

template <typename Function>
auto Machine::hypervisor_call(const char* method, Function&& function) {
  return plugin::guarded({"hypervisor", configuration_.hypervisor.plugin, method}, std::forward<Function>(function));
}

Machine::Machine(config::MachineConfiguration configuration, Parts parts, Options options)
    : configuration_(std::move(configuration)),
      parts_(std::move(parts)),
      options_(std::move(options)),
      abilities_(parts_.hypervisor->abilities()),
      wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      queue_(options_.queue_limit, [this] { wake(); }),
      order_(parts_.transports.size()) {
  if (!wake_fd_) throw Error(ErrorCode::internal, errno_text("eventfd", errno));
  if (parts_.heartbeat) heartbeat_.emplace(*parts_.heartbeat, configuration_.heartbeat.plugin);
  status_.name = name();
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
  std::vector<std::string> missing;
  if (!guest_tools_) return missing;
  for (const auto& tool : tools) {
    if (std::find(guest_tools_->begin(), guest_tools_->end(), tool) == guest_tools_->end()) missing.push_back(tool);
  }
  return missing;
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
    give_up(problem);
    const auto retry = pause.next();
    log().warning("%s: trying again in %d s", name(), static_cast<int>(retry.count()));
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
  std::iota(order_.begin(), order_.end(), std::size_t{0});  // a new life begins with the preferred transport
  const bool fresh = started == Started::fresh;
  const bool guest_is_up = !fresh || !heartbeat_;
  converse(Deadline::in(fresh ? boot_time : restored_time), guest_is_up);
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
  set_state(State::ready);
  queue_.open();
  for (auto& command : reverts_asked_) command.done.set_value();
  reverts_asked_.clear();
}

void Machine::serve() {
  while (!stopping_) {
    if (!dirty_.empty() && jobs_.empty()) {
      revert_now();
      continue;
    }
    if (stale_ && jobs_.empty()) {
      converse(Deadline::in(restored_time), true);
      stale_ = false;
    }
    try {
      if (dirty_.empty()) begin_jobs();
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

// What tells of itself by silence only.
void Machine::look_after() {
  const auto now = Clock::now();
  if (now >= next_look_) {
    next_look_ = now + look_interval;
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

void Machine::give_up(const std::string& why) {
  log().error("%s: %s", name(), why);
  set_state(State::failed, why);
  // A machine that was lost while it served is mostly back in a second or two: who waits may go on waiting. One that
  // does not come up is not waited for.
  if (!serving_since_) queue_.close(why);
  lose_jobs(why);
  session_.reset();
  if (heartbeat_) heartbeat_->disconnect();
  fail_health(why);
  for (auto& command : reverts_asked_) {
    command.done.set_exception(std::make_exception_ptr(Error(ErrorCode::unavailable, name() + ": " + why)));
  }
  reverts_asked_.clear();
  // Where the operator turned reverting off, the machine stays as it is, for a look at it: a start would be a revert.
  const bool keep = configuration_.revert == RevertPolicy::never && parts_.hypervisor->running();
  if (abilities_.starts && !keep) parts_.hypervisor->stop(Deadline::in(stop_time));
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
  session_.reset();
  if (abilities_.starts) parts_.hypervisor->stop(Deadline::in(stop_time));
  set_state(State::absent, "the host is shutting down");
}

// ---------------------------------------------------------------------------------------------------------------------
// Conversations.

void Machine::converse(const Deadline& deadline, bool guest_is_up) {
  std::string problem = "no transport is configured";
  // The one that answered last comes first: falling back costs time, and a revert changes nothing in what works.
  std::stable_partition(order_.begin(), order_.end(),
                        [this](std::size_t i) { return parts_.transports[i].name == session_name_; });
  while (!stopping_) {
    for (const std::size_t index : order_) {
      auto& transport = parts_.transports[index];
      try {
        // After a revert the stream is often still there: the new hello's nonce tells old words from new ones.
        if (!session_ || session_name_ != transport.name) open_transport(transport);
        session_->hello({options_.tools, configuration_.slots, configuration_.network});
        if (await_welcome(deadline, guest_is_up)) return;
        problem = transport.transport->description() + ": the guest does not answer";
      } catch (const Error& e) {
        problem = e.what();
      }
      session_.reset();
      if (stopping_) break;
      if (index != order_.back()) {
        log().warning("%s: transport %s: %s; trying the next one", name(), transport.name, problem);
      }
    }
    if (deadline.expired() || !parts_.hypervisor->running()) break;
    wait_without_session(earlier(deadline, Deadline::in(hello_interval)));
    take_commands(false);
  }
  if (stopping_) throw Error(ErrorCode::unavailable, "the host is shutting down");
  if (!parts_.hypervisor->running()) problem += "; the machine has ended";
  throw Error(ErrorCode::timed_out, problem, "look at its console, and whether pbotvm-guest runs in it");
}

void Machine::open_transport(NamedTransport& transport) {
  session_ =
      std::make_unique<FrameSession>(plugin::guarded({"transport", transport.name, "connect"},
                                                     [&] { return transport.transport->connect(Deadline::in(2s)); }),
                                     transport.transport->description());
  session_name_ = transport.name;
}

bool Machine::await_welcome(const Deadline& deadline, bool guest_is_up) {
  // While the guest boots there is nothing to fall back from: the wait for this transport begins with its first beat.
  std::optional<Deadline> patience;
  auto repeat = Deadline::in(hello_interval);
  welcomed_ = false;
  while (!stopping_ && !deadline.expired()) {
    if (!patience && (guest_is_up || (heartbeat_ && heartbeat_->last_beat()))) patience = Deadline::in(transport_time);
    if (patience && patience->expired()) return false;
    wait(earlier(deadline, repeat));
    if (welcomed_) return true;
    take_commands(false);
    if (!parts_.hypervisor->running()) return false;
    if (repeat.expired()) {
      session_->repeat_hello();
      repeat = Deadline::in(hello_interval);
    }
  }
  return false;
}

// ---------------------------------------------------------------------------------------------------------------------
// Jobs.

void Machine::begin_jobs() {
  bool begun = false;
  while (jobs_.size() < slots_) {
    auto execution = queue_.pop();
    if (!execution) break;
    const Job& job = execution->job();
    begin(std::move(execution), job);
    begun = true;
  }
  if (begun) pump();
}

void Machine::pump() {
  for (const auto& event : session_->pump()) handle(event);
  session_->check();
}

void Machine::begin(std::shared_ptr<Execution> execution, const Job& job) {
  const std::uint32_t id = next_job_++;
  if (next_job_ == 0) next_job_ = 1;
  const bool counted = execution != nullptr;
  jobs_.emplace(id, Current{std::move(execution), Deadline::in(job.limits.wall + answer_grace)});
  session_->start_job(id, job, {});
  if (!counted) return;
  set_state(State::leased);
  std::lock_guard lock(mutex_);
  ++status_.jobs;
}

void Machine::handle(const Session::Event& event) {
  if (const auto* welcomed = std::get_if<Session::Welcomed>(&event)) {
    welcomed_ = true;
    // A machine that is pristine for every job has one at a time.
    slots_ = configuration_.revert == RevertPolicy::always ? 1 : std::max(1u, welcomed->welcome.slots);
    std::vector<std::string> lacking;
    for (const auto& piece : welcomed->welcome.containment) {
      if (!piece.given) lacking.push_back(piece.name + ": " + piece.why);
    }
    std::lock_guard lock(mutex_);
    if (lacking != said_containment_) {
      for (const auto& piece : lacking) log().warning("%s: the guest does not contain jobs fully: %s", name(), piece);
      said_containment_ = lacking;
    }
    status_.guest = welcomed->welcome.version;
    status_.transport = session_name_;
    status_.hypervisor = parts_.hypervisor->description();
    guest_tools_ = welcomed->welcome.tools;
  } else if (const auto* ended = std::get_if<Session::Ended>(&event)) {
    on_ended(*ended);
  } else if (const auto* cleaned = std::get_if<Session::Cleaned>(&event)) {
    on_cleaned(*cleaned);
  } else if (const auto* refused = std::get_if<Session::Refused>(&event)) {
    on_refused(*refused);
  } else if (std::holds_alternative<Session::Ponged>(event) && health_asked_) {
    health_asked_->ponged = true;
    health_asked_->health.round_trip = Clock::now() - health_asked_->pinged;
  }
}

void Machine::on_ended(const Session::Ended& ended) {
  const auto found = jobs_.find(ended.job);
  if (found == jobs_.end()) return;
  auto& job = found->second;
  job.ended = true;
  job.deadline = Deadline::in(clean_time);
  job.aftermath.limit = ended.result.limit;
  if (!ended.error.empty()) log().warning("%s: the guest could not run a job: %s", name(), ended.error);
  if (!job.execution) return;
  if (ended.error.empty()) {
    job.execution->finish(ended.result);
  } else {
    job.execution->finish(Unavailable{"the guest could not run the job: " + ended.error});
  }
}

void Machine::on_cleaned(const Session::Cleaned& cleaned) {
  const auto found = jobs_.find(cleaned.job);
  if (found == jobs_.end()) return;
  auto aftermath = found->second.aftermath;
  aftermath.proven_clean = cleaned.clean.proven;
  aftermath.doubt = cleaned.clean.why;
  settle(cleaned.job, aftermath);
}

void Machine::on_refused(const Session::Refused& refused) {
  log().warning("%s: the guest refused %s: %s: %s", name(),
                refused.job == 0 ? std::string("a frame") : "job " + std::to_string(refused.job), refused.refusal.code,
                refused.refusal.text);
  const auto found = jobs_.find(refused.job);
  if (found == jobs_.end()) return;
  if (found->second.execution) {
    found->second.execution->finish(Unavailable{"the guest refused the job: " + refused.refusal.text});
  }
  auto aftermath = found->second.aftermath;
  // A job that the guest would not even begin has left nothing; anything else is not as it should be.
  const auto& code = refused.refusal.code;
  aftermath.proven_clean = !found->second.ended && (code == "bad-message" || code == "bad-job");
  aftermath.protocol_fault = !aftermath.proven_clean;
  settle(refused.job, aftermath);
}

void Machine::expire_jobs() {
  std::vector<std::uint32_t> expired;
  for (const auto& [id, job] : jobs_) {
    if (job.deadline.expired()) expired.push_back(id);
  }
  for (const auto id : expired) {
    auto& job = jobs_.at(id);
    auto aftermath = job.aftermath;
    Result printed = session_->abandon(id);
    if (job.ended) {
      aftermath.doubt = "it did not say so within " + seconds_text(clean_time);
    } else {
      log().warning("%s: the guest did not end job %u in time", name(), id);
      printed.limit = Limit::wall;
      aftermath.protocol_fault = true;
      if (job.execution) job.execution->finish(std::move(printed));
    }
    settle(id, aftermath);
  }
}

void Machine::settle(std::uint32_t id, const JobAftermath& aftermath) {
  const bool counted = jobs_.at(id).execution != nullptr;
  jobs_.erase(id);
  if (counted && is_fault(aftermath)) {
    std::lock_guard lock(mutex_);
    ++status_.faults;
  }
  if (abilities_.reverts && needs_revert(configuration_.revert, aftermath)) {
    if (dirty_.empty()) log().information("%s: dirty: %s", name(), aftermath_text(aftermath));
    dirty_ = aftermath_text(aftermath);
    set_state(State::draining);
  } else if (is_fault(aftermath)) {
    // A new hello ends what may still run of it, and frees its slot.
    stale_ = stale_ || aftermath.protocol_fault || !aftermath.proven_clean;
    log().warning("%s: %s; it is not reverted%s", name(), aftermath_text(aftermath),
                  std::string(abilities_.reverts ? " as the configuration says" : ", its hypervisor cannot"));
  }
  if (counted && jobs_.empty() && dirty_.empty()) set_state(State::ready);
}

void Machine::lose_jobs(const std::string& why) {
  for (auto& [id, job] : jobs_) {
    if (job.execution) job.execution->finish(Unavailable{why, session_ ? session_->abandon(id) : Result{}});
  }
  jobs_.clear();
}

void Machine::warm_up() {
  set_state(State::starting, "its tools are run once before its snapshot is taken");
  log().information("%s: running %z tools once, so that the snapshot holds them in memory", name(),
                    options_.warm_up.size());
  const auto begun = Clock::now();
  for (const auto& job : options_.warm_up) {
    begin(nullptr, job);
    for (const auto until = Deadline::in(warm_up_time); !jobs_.empty();) {
      if (stopping_) throw Error(ErrorCode::unavailable, "the host is shutting down");
      if (until.expired()) throw Error(ErrorCode::timed_out, "a warm-up job did not end");
      wait(earlier(until, next_deadline()));
      take_commands(false);
      expire_jobs();
    }
    dirty_.clear();  // there is no snapshot to go back to yet; what a hello program leaves is nobody's secret
  }
  // The guest beats when its loop is idle: what it prepares for the next job is then part of the snapshot too.
  if (heartbeat_) {
    heartbeat_->restart(Clock::now());
    for (const auto until = Deadline::in(2 * beat_interval);
         !heartbeat_->last_beat() && !until.expired() && !stopping_;) {
      wait(until);
    }
  }
  log().information("%s: tools are in memory after %s", name(), seconds_text(Clock::now() - begun));
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

void Machine::revert_now() {
  set_state(State::reverting, "it is being reverted");
  const auto begun = Clock::now();
  hypervisor_call("revert", [&] { parts_.hypervisor->revert(Deadline::in(revert_time)); });
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
  pollfd fds[3] = {{wake_fd_.get(), POLLIN, 0}, {-1, POLLIN, 0}, {data, POLLIN, 0}};
  if (heartbeat_) fds[1].fd = heartbeat_->fd();
  if (data >= 0 && session_->wants_to_write()) fds[2].events |= POLLOUT;
  if (::poll(fds, 3, until.poll_timeout()) < 0 && errno != EINTR) {
    throw Error(ErrorCode::internal, errno_text("poll", errno));
  }
  if (fds[0].revents != 0) {
    std::uint64_t count;
    (void)!::read(wake_fd_.get(), &count, sizeof count);
  }
  if (heartbeat_ && fds[1].revents != 0) {
    heartbeat_->on_readable(Clock::now());
    std::lock_guard lock(mutex_);
    if (heartbeat_->last_beat()) last_beat_ = heartbeat_->last_beat();
  }
  return fds[2].revents != 0;
}

void Machine::wake() {
  const std::uint64_t one = 1;
  (void)!::write(wake_fd_.get(), &one, sizeof one);
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

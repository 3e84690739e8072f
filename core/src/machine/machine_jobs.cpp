// SPDX-License-Identifier: MIT

// The part of Machine that runs jobs.

#include <Poco/Logger.h>

#include <algorithm>
#include <utility>

#include "machine/helpers.h"
#include "machine/machine.h"
#include "pbotvm/error.h"

namespace pbotvm::machine {

using namespace std::chrono_literals;

namespace {

constexpr auto answer_grace = 1s;                  // beyond a job's wall limit, until the host ends it itself
constexpr std::uint64_t slow_line = 32 * 1024;     // bytes a second at least, of the files that a job brings
constexpr auto killed_time = 3s;                   // from a client's wish to the end of its job
constexpr auto busy_pause = 100ms;                 // until a guest whose slots others have is asked again
constexpr std::size_t input_at_once = 256 * 1024;  // bytes of a client's input that wait for one guest
constexpr auto clean_time = 3s;                    // from a job's result to the proof that nothing is left
constexpr auto warm_up_time = 120s;                // one warm-up job
constexpr auto least_warm_up = 20s;                // that one may take, however much of their time is left
constexpr auto rest_interval = 250ms;              // until a guest is asked again whether it is at rest

Poco::Logger& log() {
  return Poco::Logger::get("machine");
}

// When the host ends a job itself: that the guest has not done so by then is a fault.
Deadline answer_deadline(const Job& job) {
  std::uint64_t bytes = 0;
  for (const auto& file : job.files) bytes += file.content.size();
  const auto upload = std::chrono::milliseconds(bytes * 1000 / slow_line);
  const auto collection = job.collection.patterns.empty() ? 0ms : job.limits.wall;
  return Deadline::in(job.limits.wall + std::min(upload, job.limits.wall) + collection + answer_grace);
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

void Machine::begin_jobs() {
  bool begun = false;
  while (dirty_.empty() && !stale_ && snapshots_asked_.empty() && jobs_.size() < slots_) {
    const auto candidate = next_candidate();
    if (!candidate.execution) break;
    begin(candidate.execution, candidate.execution->job()).patience = candidate.patience;
    begun = true;
  }
  if (begun) pump();
}

Machine::Candidate Machine::next_candidate() {
  while (!deferred_.empty() && deferred_.front().execution->cancelled()) {
    Result cancelled;
    cancelled.limit = Limit::cancelled;
    deferred_.front().execution->finish(std::move(cancelled));
    deferred_.pop_front();
  }
  if (!deferred_.empty()) {
    if (Clock::now() < retry_deferred_) return {};
    auto candidate = std::move(deferred_.front());
    deferred_.pop_front();
    return candidate;
  }
  return {queue_.pop([wake_fd = wake_fd_] { wake_up(*wake_fd); })};
}

void Machine::pump() {
  auto events = session_->pump();
  for (auto& event : events) std::visit([this](auto& one) { on(one); }, event);
  session_->check();
}

Machine::Current& Machine::begin(std::shared_ptr<Execution> execution, const Job& job) {
  const std::uint32_t id = next_job_++;
  if (next_job_ == 0) next_job_ = 1;
  Session::JobOptions options;
  const bool counted = execution != nullptr;
  if (counted) {
    options.progress = execution->options().progress;
    options.more_input = execution->options().more_input;
  }
  session_->start_job(id, job, options);
  auto& current = jobs_.emplace(id, Current{std::move(execution), answer_deadline(job)}).first->second;
  if (!counted) return current;
  set_state(State::leased);
  show_running();
  std::lock_guard lock(mutex_);
  ++status_.jobs;
  return current;
}

// What clients want of their jobs that run. Right before the wait, as every answer of the guest may make room for more.
void Machine::heed_clients() {
  bool heeded = false;
  for (auto& [id, job] : jobs_) {
    if (!job.execution || job.ended) continue;
    if (!job.aftermath.unwanted && job.execution->cancelled()) {
      job.aftermath.unwanted = heeded = true;
      job.deadline = earlier(job.deadline, Deadline::in(killed_time));
      session_->cancel(id);
    }
    heeded = hand_on_input(id, job) || heeded;
  }
  if (!heeded) return;
  pump();
  wake();  // there may be more of it
}

// Whether there was any.
bool Machine::hand_on_input(std::uint32_t id, Current& job) {
  if (!job.execution->options().more_input || job.input_whole) return false;
  if (session_->input_waiting(id) >= input_at_once) return false;
  const auto input = job.execution->take_input();
  if (!input.bytes.empty()) session_->add_input(id, input.bytes);
  job.input_whole = input.whole;
  if (input.whole) session_->end_input(id);
  return input.whole || !input.bytes.empty();
}

void Machine::on(const Session::Welcomed& welcomed) {
  welcomed_ = true;
  slots_ = std::clamp(welcomed.welcome.slots, 1u, wanted_slots());
  std::vector<std::string> lacking;
  for (const auto& piece : welcomed.welcome.containment) {
    if (!piece.given) lacking.push_back(piece.name + ": " + piece.why);
  }
  std::lock_guard lock(mutex_);
  if (lacking != said_containment_) {
    for (const auto& piece : lacking) log().warning("%s: the guest does not contain jobs fully: %s", name(), piece);
    said_containment_ = lacking;
  }
  status_.guest = welcomed.welcome.version;
  status_.transport = session_name_;
  status_.hypervisor = parts_.hypervisor->description();
  status_.slots = slots_;
  asked_tools_ = greeted_with_;
  guest_tools_.reset();
  if (welcomed.tools_known) guest_tools_ = welcomed.welcome.tools;
}

void Machine::on(const Session::Ponged&) {
  if (!health_asked_) return;
  health_asked_->ponged = true;
  health_asked_->health.round_trip = Clock::now() - health_asked_->pinged;
}

void Machine::on(const Session::Printed& printed) {
  const auto found = jobs_.find(printed.job);
  if (found != jobs_.end() && found->second.execution) found->second.execution->report(printed.chunk);
}

void Machine::on(const Session::StepEnded& step) {
  const auto found = jobs_.find(step.job);
  if (found != jobs_.end() && found->second.execution) found->second.execution->report(step.step);
}

void Machine::on(Session::Ended& ended) {
  const auto found = jobs_.find(ended.job);
  if (found == jobs_.end()) return;
  auto& job = found->second;
  job.ended = true;
  job.deadline = Deadline::in(clean_time);
  job.aftermath.limit = ended.result.limit;
  expect_revert(job.aftermath);
  if (!ended.error.empty()) log().warning("%s: the guest could not run a job: %s", name(), ended.error);
  if (!job.execution) return;
  if (!ended.error.empty()) {
    job.execution->finish(Unavailable{"the guest could not run the job: " + ended.error, std::move(ended.result)});
  } else if (ended.reply) {
    job.execution->finish(GuestReply{std::move(*ended.reply)});
  } else {
    job.execution->finish(std::move(ended.result));
  }
}

void Machine::on(const Session::Cleaned& cleaned) {
  const auto found = jobs_.find(cleaned.job);
  if (found == jobs_.end()) return;
  auto aftermath = found->second.aftermath;
  aftermath.proven_clean = cleaned.clean.proven;
  aftermath.doubt = cleaned.clean.why;
  settle(cleaned.job, aftermath);
}

void Machine::on(const Session::Refused& refused) {
  const auto& [code, text] = refused.refusal;
  const auto found = jobs_.find(refused.job);
  if (found != jobs_.end() && code == "busy" && defer(refused.job)) return;
  if (found != jobs_.end() && code == "no-conversation" && defer(refused.job)) return on_guest_restarted();
  log().warning("%s: the guest refused %s: %s: %s", name(),
                refused.job == 0 ? std::string("a frame") : "job " + std::to_string(refused.job), code, text);
  if (found == jobs_.end()) return;
  if (found->second.execution) {
    found->second.execution->finish(Unavailable{"the guest refused the job: " + text});
  }
  auto aftermath = found->second.aftermath;
  // A job that the guest would not even begin has left nothing; anything else is not as it should be.
  aftermath.proven_clean = !found->second.ended && (code == "bad-message" || code == "bad-job" || code == "busy");
  aftermath.protocol_fault = !aftermath.proven_clean;
  settle(refused.job, aftermath);
}

void Machine::on(Session::Faulted& faulted) {
  const auto found = jobs_.find(faulted.job);
  if (found == jobs_.end()) return;
  log().warning("%s: job %u: %s", name(), faulted.job, faulted.why);
  if (found->second.execution) found->second.execution->finish(Unavailable{faulted.why, std::move(faulted.printed)});
  auto aftermath = found->second.aftermath;
  aftermath.protocol_fault = true;
  settle(faulted.job, aftermath);
}

// The guest's slots are taken, by jobs of another line: nothing was begun, nothing is wrong. The job goes back to the
// head of the line; false when it has waited there for as long as any job may.
bool Machine::defer(std::uint32_t id) {
  auto& job = jobs_.at(id);
  if (!job.execution || job.ended) return false;
  const auto patience = job.patience.value_or(Deadline::in(options_.queue_timeout));
  if (patience.expired()) return false;
  deferred_.push_back({std::move(job.execution), patience});
  retry_deferred_ = Clock::now() + busy_pause;
  jobs_.erase(id);
  show_running();
  return true;
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
      printed.limit = aftermath.unwanted ? Limit::cancelled : Limit::wall;
      aftermath.protocol_fault = true;
      if (job.execution) job.execution->finish(std::move(printed));
    }
    settle(id, aftermath);
  }
}

void Machine::settle(std::uint32_t id, const JobAftermath& aftermath) {
  const bool counted = jobs_.at(id).execution != nullptr;
  jobs_.erase(id);
  show_running();
  wake();  // whoever waits behind this may have no other reason to
  if (counted && is_fault(aftermath)) {
    std::lock_guard lock(mutex_);
    ++status_.faults;
  }
  draw_conclusions(aftermath);
  if (counted && jobs_.empty() && dirty_.empty()) set_state(State::ready);
}

// A fault is known with the result: from then on no job is begun, and whoever has its reply finds the machine draining.
void Machine::expect_revert(JobAftermath aftermath) {
  aftermath.proven_clean = true;  // what can only be known later
  if (abilities_.reverts && configuration_.revert != config::RevertPolicy::always &&
      needs_revert(configuration_.revert, aftermath)) {
    draw_conclusions(aftermath);
  }
}

// What an aftermath means for the machine and its conversation.
void Machine::draw_conclusions(const JobAftermath& aftermath) {
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
}

// Its program has ended and begun anew without a word: what ran there is lost, what has just been asked for was not
// begun.
void Machine::on_guest_restarted() {
  log().warning("%s: the guest program was started anew", name());
  for (auto& [id, job] : jobs_) {
    if (job.execution) job.execution->finish(Unavailable{"the guest program was started anew", session_->abandon(id)});
  }
  jobs_.clear();
  show_running();
  JobAftermath aftermath;
  aftermath.protocol_fault = true;
  draw_conclusions(aftermath);
}

void Machine::lose_jobs(const std::string& why) {
  for (auto& [id, job] : jobs_) {
    if (job.execution) job.execution->finish(Unavailable{why, session_ ? session_->abandon(id) : Result{}});
  }
  for (auto& job : deferred_) job.execution->finish(Unavailable{why});
  jobs_.clear();
  deferred_.clear();
  show_running();
}

void Machine::show_running() {
  std::lock_guard lock(mutex_);
  status_.running = static_cast<std::uint32_t>(jobs_.size());
}

void Machine::warm_up() {
  set_state(State::starting, "its tools are run once before its snapshot is taken");
  std::vector<const WarmUp*> wanted;
  for (const auto& one : options_.warm_up) {
    if (missing_tools(one.tools).empty()) wanted.push_back(&one);
  }
  log().information("%s: running %z languages once, so that the snapshot holds their tools in memory", name(),
                    wanted.size());
  const auto begun = Clock::now();
  const auto budget = Deadline::in(options_.warm_up_time);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (budget.expired()) {
      log().information("%s: %z of them are left out, as %s have passed (host.warm_up)", name(), wanted.size() - i,
                        seconds_text(options_.warm_up_time));
      break;
    }
    Job job = wanted[i]->job;
    job.limits.wall = std::min(job.limits.wall, std::max<std::chrono::milliseconds>(budget.remaining(), least_warm_up));
    begin(nullptr, job);
    for (const auto until = Deadline::in(warm_up_time); !jobs_.empty();) {
      if (stopping_) throw Error(ErrorCode::unavailable, "the host is shutting down");
      if (until.expired()) throw Error(ErrorCode::timed_out, "a warm-up job did not end");
      wait(earlier(until, next_deadline()));
      take_commands(false);
      expire_jobs();
    }
    if (!dirty_.empty()) log().warning("%s: the hello program of %s: %s", name(), job.language, dirty_);
    dirty_.clear();  // there is no snapshot to go back to yet; what a hello program leaves is nobody's secret
  }
  const auto warm = Clock::now();
  await_rest();
  log().information("%s: tools are in memory after %s, the guest is at rest %s later", name(),
                    seconds_text(warm - begun), seconds_text(Clock::now() - warm));
}

// What the guest prepares for the next jobs is to be part of the snapshot too. It says in its figures when that is
// done; one that does not beats at least, which it does when its loop is idle.
void Machine::await_rest() {
  if (!heartbeat_) return;
  heartbeat_->restart(Clock::now());
  const auto until = Deadline::in(2 * beat_interval);
  for (bool says = true; !until.expired() && !stopping_;) {
    if (says) heartbeat_->request_figures();
    for (const auto next = earlier(until, Deadline::in(rest_interval)); !next.expired() && !stopping_;) {
      wait(next);
      if (!says && heartbeat_->last_beat()) return;
      const auto figures = heartbeat_->take_figures();
      if (!figures) continue;
      if (figures->find("at_rest 1") != std::string::npos) return;
      says = figures->find("at_rest ") != std::string::npos;
      if (!says) heartbeat_->restart(Clock::now());  // its answer is no beat
    }
  }
}

}  // namespace pbotvm::machine

// SPDX-License-Identifier: MIT
#include "jobs.h"

#include <malloc.h>

#include <algorithm>

namespace pbotvm::guest {

Jobs::Jobs(EventLoop& loop, const Containment& containment) : loop_(loop), containment_(containment) {
  refill();
}

bool Jobs::full() const {
  return std::count_if(runs_.begin(), runs_.end(), [](const auto& run) { return run->live(); }) >= slots;
}

JobRun* Jobs::find(const JobOwner& owner, std::uint32_t id) {
  for (auto& run : runs_) {
    if (run->owner() == &owner && run->id() == id) return run.get();
  }
  return nullptr;
}

void Jobs::start(JobOwner& owner, std::uint32_t id, protocol::AnnouncedJob job) {
  runs_.push_back(
      std::make_unique<JobRun>(loop_, containment_, owner, id, std::move(job), [this](JobRun& run) { on_done(run); }));
  expected_ = runs_.back()->bounds();
  ++served_;
  match();
}

void Jobs::abandon_all(const JobOwner& owner) {
  for (auto& run : runs_) {
    if (run->owner() == &owner) run->abandon();
  }
}

// Gives the sandbox that is ready to the job that has waited longest.
void Jobs::match() {
  const auto waiting = std::find_if(runs_.begin(), runs_.end(), [](const auto& run) { return run->waiting(); });
  if (waiting == runs_.end()) {
    if (!ready_) loop_.when_idle([this] { refill(); });
    return;
  }
  if (!ready_) return refill();
  (*waiting)->take(std::move(ready_));
}

void Jobs::refill() {
  if (ready_ || making_) return;
  try {
    making_ = std::make_unique<Sandbox>(
        loop_, containment_, expected_,
        [this] {
          ready_ = std::move(making_);
          match();
        },
        [this](const std::string& why) { on_sandbox_failed(why); });
  } catch (const SystemError& error) {
    const std::string why = error.what();
    loop_.at_end_of_round([this, why] { on_sandbox_failed(why); });
  }
}

void Jobs::on_sandbox_failed(const std::string& why) {
  log_line("cannot make a place for a job: " + why);
  if (making_) bury(std::move(making_), nullptr);
  for (auto& run : runs_) {
    if (run->waiting()) run->fail(why);
  }
}

void Jobs::on_done(JobRun& run) {
  auto sandbox = run.release();
  if (!sandbox || run.cleaned()) {
    if (!run.cleaned()) run.tell_clean({true, ""});
    erase(run);
    if (sandbox) bury(std::move(sandbox), nullptr);
  } else {
    bury(std::move(sandbox), [this, &run](const protocol::Clean& clean) {
      run.tell_clean(clean);
      erase(run);
    });
  }
  match();
}

void Jobs::bury(std::unique_ptr<Sandbox> sandbox, std::function<void(const protocol::Clean&)> then) {
  ending_.push_back(std::move(sandbox));
  Sandbox* const ending = ending_.back().get();
  ending->end([this, ending, then = std::move(then)](const protocol::Clean& clean) {
    if (then) then(clean);
    // Kept when its processes may still be there: their end is noticed by nobody else.
    if (clean.proven || !containment_.given("namespaces")) {
      loop_.at_end_of_round(
          [this, ending] { std::erase_if(ending_, [&](const auto& one) { return one.get() == ending; }); });
    } else {
      log_line("not proven that a job is gone: " + clean.why);
    }
  });
}

void Jobs::erase(const JobRun& run) {
  std::erase_if(runs_, [&](const auto& one) { return one.get() == &run; });
  loop_.when_idle([] { malloc_trim(0); });  // a large job's memory goes back
}

}  // namespace pbotvm::guest

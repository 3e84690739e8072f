// SPDX-License-Identifier: MIT
#include "jobs.h"

#include <malloc.h>

#include <algorithm>

namespace pbotvm::guest {
namespace {

constexpr std::size_t spare_memory = 512 * 1024;  // bytes of freed memory that are kept

}  // namespace

Jobs::Jobs(EventLoop& loop, const Containment& containment) : loop_(loop), containment_(containment) {
  refill();
}

bool Jobs::full() const {
  return std::count_if(runs_.begin(), runs_.end(), [](const auto& run) { return run->live(); }) >= slots_;
}

void Jobs::set_slots(std::uint32_t slots) {
  slots_ = slots;
  loop_.when_idle([this] { refill(); });
}

void Jobs::set_network(bool network) {
  if (network_ == network) return;
  network_ = network;
  while (!ready_.empty()) bury(take(ready_, ready_.front().get()), nullptr);
  loop_.when_idle([this] { refill(); });
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

// Gives a sandbox that is ready to the job that has waited longest.
void Jobs::match() {
  const auto waiting = std::find_if(runs_.begin(), runs_.end(), [](const auto& run) { return run->waiting(); });
  if (waiting == runs_.end()) return loop_.when_idle([this] { refill(); });
  if (!ready_.empty()) {
    auto sandbox = std::move(ready_.front());
    ready_.pop_front();
    (*waiting)->take(std::move(sandbox));
  } else if (may_make()) {
    make_sandbox();
  }
}

// Without namespaces a job's processes are told from others only by being there at all: one sandbox at a time.
bool Jobs::may_make() const {
  const bool alone = !containment_.given("namespaces");
  return making_.empty() && (!alone || (ending_.empty() && ready_.empty() && occupied() == 0));
}

std::size_t Jobs::occupied() const {
  return static_cast<std::size_t>(
      std::count_if(runs_.begin(), runs_.end(), [](const auto& run) { return run->has_sandbox(); }));
}

void Jobs::refill() {
  if (may_make() && ready_.size() + occupied() < slots_ + 1) make_sandbox();
}

void Jobs::make_sandbox() {
  try {
    auto sandbox = std::make_unique<Sandbox>(loop_, containment_, expected_);
    Sandbox* const made = sandbox.get();
    making_.push_back(std::move(sandbox));
    made->start([this, made] { on_ready(made); }, [this, made](const std::string& why) { on_unusable(made, why); });
  } catch (const SystemError& error) {
    loop_.at_end_of_round([this, why = std::string(error.what())] { no_sandbox(why); });
  }
}

// One that is provably untouched is used again: making one from nothing costs as much as a small job.
void Jobs::renew(std::unique_ptr<Sandbox> sandbox) {
  Sandbox* const renewed = sandbox.get();
  making_.push_back(std::move(sandbox));
  renewed->renew(
      expected_, [this, renewed] { on_ready(renewed); },
      [this, renewed](const std::string&) {
        bury(take(making_, renewed), nullptr);
        match();
      });
}

void Jobs::on_ready(const Sandbox* sandbox) {
  ready_.push_back(take(making_, sandbox));
  match();
}

void Jobs::on_unusable(const Sandbox* sandbox, const std::string& why) {
  bury(take(making_, sandbox), nullptr);
  no_sandbox(why);
}

void Jobs::no_sandbox(const std::string& why) {
  log_line("cannot make a place for a job: " + why);
  for (auto& run : runs_) {
    if (run->waiting()) run->fail(why);
  }
}

void Jobs::on_done(JobRun& run) {
  auto sandbox = run.release();
  if (sandbox && !run.cleaned()) {
    bury(std::move(sandbox), [this, &run](const protocol::Clean& clean) {
      run.tell_clean(clean);
      erase(run);
      match();
    });
    return match();
  }
  if (!run.cleaned()) run.tell_clean({true, ""});
  const bool again = run.ordinary();
  erase(run);
  if (sandbox && again) {
    renew(std::move(sandbox));
  } else if (sandbox) {
    bury(std::move(sandbox), nullptr);
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
      loop_.at_end_of_round([this, ending] {
        take(ending_, ending);
        match();
      });
    } else {
      log_line("not proven that a job is gone: " + clean.why);
    }
  });
}

void Jobs::erase(const JobRun& run) {
  std::erase_if(runs_, [&](const auto& one) { return one.get() == &run; });
  if (mallinfo2().fordblks > spare_memory) malloc_trim(0);  // a large job's goes back
}

std::unique_ptr<Sandbox> Jobs::take(Sandboxes& from, const Sandbox* sandbox) {
  const auto found = std::find_if(from.begin(), from.end(), [&](const auto& one) { return one.get() == sandbox; });
  if (found == from.end()) return nullptr;
  auto taken = std::move(*found);
  from.erase(found);
  return taken;
}

}  // namespace pbotvm::guest

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
  const auto takes_slot = [](const auto& run) { return run->live() && run->owner()->takes_slots(); };
  return std::count_if(runs_.begin(), runs_.end(), takes_slot) >= slots_;
}

void Jobs::expect(std::uint32_t slots, bool network) {
  slots_ = containment_.given("namespaces") ? std::clamp<std::uint32_t>(slots, 1, protocol::max_slots) : 1;
  network_ = network;
  end_surplus();
  loop_.when_idle([this] { refill(); });
}

// Sandboxes of the wrong kind, and more than will be used.
void Jobs::end_surplus() {
  const auto surplus = [this] {
    const auto other =
        std::find_if(ready_.begin(), ready_.end(), [&](const auto& one) { return one->network() != network_; });
    if (other != ready_.end() || ready_.size() <= slots_ + 1) return other;
    return ready_.begin();
  };
  for (auto one = surplus(); one != ready_.end(); one = surplus()) bury(take(ready_, one->get()), nullptr);
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

// Gives the sandboxes that are ready to the jobs that wait, the one that came first before the others.
void Jobs::match() {
  for (auto& run : runs_) {
    if (run->waiting() && !serve(*run)) return;
  }
  loop_.when_idle([this] { refill(); });
}

bool Jobs::serve(JobRun& run) {
  const auto fitting =
      std::find_if(ready_.begin(), ready_.end(), [&](const auto& one) { return one->network() == run.network(); });
  if (fitting != ready_.end()) {
    run.take(take(ready_, fitting->get()), occupied() + 1);
    return true;
  }
  while (may_make() && making_.size() < waiting() && make_sandbox(run.network())) {
  }
  return false;
}

// Without namespaces a job's processes are told from others only by being there at all: one sandbox at a time.
bool Jobs::may_make() const {
  if (containment_.given("namespaces")) return true;
  return making_.empty() && ending_.empty() && ready_.empty() && occupied() == 0;
}

bool Jobs::at_rest() const {
  if (!runs_.empty() || !making_.empty() || !ending_.empty()) return false;
  return ready_.size() > slots_ || !may_make();
}

std::size_t Jobs::occupied() const {
  return static_cast<std::size_t>(
      std::count_if(runs_.begin(), runs_.end(), [](const auto& run) { return run->has_sandbox(); }));
}

std::size_t Jobs::waiting() const {
  return static_cast<std::size_t>(
      std::count_if(runs_.begin(), runs_.end(), [](const auto& run) { return run->waiting(); }));
}

// One by one: what is made ahead must not be in the way of what runs.
void Jobs::refill() {
  if (making_.empty() && may_make() && ready_.size() + occupied() < slots_ + 1) make_sandbox(network_);
}

bool Jobs::make_sandbox(bool network) {
  try {
    auto sandbox = std::make_unique<Sandbox>(loop_, containment_, expected_, network);
    Sandbox* const made = sandbox.get();
    making_.push_back(std::move(sandbox));
    made->start([this, made] { on_ready(made); }, [this, made](const std::string& why) { on_unusable(made, why); });
    return true;
  } catch (const SystemError& error) {
    loop_.at_end_of_round([this, why = std::string(error.what())] { no_sandbox(why); });
    return false;
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
  end_surplus();
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

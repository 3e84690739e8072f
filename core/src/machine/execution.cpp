// SPDX-License-Identifier: MIT
#include "machine/execution.h"

#include <algorithm>
#include <utility>

namespace pbotvm::machine {

namespace {

constexpr std::size_t max_waiting_input = 1u << 20;  // bytes that the machine has not taken from a client yet
// Pieces of progress that a client has not taken, before output grows them in length only.
constexpr std::size_t max_progress = 4096;

// Whether `chunk` could be put behind `progress`, so that the order of each stream is kept.
bool takes(Progress& progress, const OutputChunk& chunk) {
  auto* last = std::get_if<OutputChunk>(&progress);
  if (last == nullptr || last->step != chunk.step || last->stream != chunk.stream) return false;
  last->bytes += chunk.bytes;
  return true;
}

}  // namespace

Execution::Execution(Job job, Deadline queue_deadline, Options options)
    : job_(std::move(job)), queue_deadline_(queue_deadline), options_(options) {}

std::optional<Outcome> Execution::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, queue_deadline_.point(), [this] { return state_ != State::waiting; });
  if (state_ == State::waiting) state_ = State::given_up;
  // No deadline here: the machine's thread bounds every job that it has begun.
  changed_.wait(lock, [this] { return state_ == State::ended || state_ == State::given_up; });
  if (state_ == State::given_up) return std::nullopt;
  return std::move(outcome_);
}

Execution::Next Execution::next(const Deadline& patience) {
  std::unique_lock lock(mutex_);
  const auto until = state_ == State::waiting ? earlier(patience, queue_deadline_) : patience;
  changed_.wait_until(lock, until.point(),
                      [this] { return !progress_.empty() || state_ == State::ended || state_ == State::given_up; });
  if (state_ == State::waiting && queue_deadline_.expired()) state_ = State::given_up;
  if (state_ == State::given_up) return GivenUp{};
  if (!progress_.empty()) {
    Progress first = std::move(progress_.front());
    progress_.pop_front();
    return first;
  }
  if (state_ != State::ended) return Nothing{};
  return std::move(*outcome_);
}

void Execution::cancel() {
  std::unique_lock lock(mutex_);
  if (state_ == State::waiting) {
    state_ = State::given_up;
    changed_.notify_all();
    return;
  }
  cancelled_ = true;
  changed_by_client(lock);
}

bool Execution::add_input(std::string_view bytes) {
  std::unique_lock lock(mutex_);
  if (state_ == State::ended || state_ == State::given_up) return true;  // nobody will read it
  if (input_.bytes.size() + bytes.size() > max_waiting_input && !input_.bytes.empty()) return false;
  input_.bytes.append(bytes);
  changed_by_client(lock);
  return true;
}

void Execution::end_input() {
  std::unique_lock lock(mutex_);
  input_.whole = true;
  changed_by_client(lock);
}

// The function may take locks of its own, so it is called without this one.
void Execution::changed_by_client(std::unique_lock<std::mutex>& lock) {
  if (state_ != State::running || !on_change_) return;
  const auto on_change = on_change_;
  lock.unlock();
  on_change();
}

bool Execution::waiting() const {
  std::lock_guard lock(mutex_);
  return state_ == State::waiting;
}

bool Execution::begin(std::function<void()> on_change) {
  std::lock_guard lock(mutex_);
  if (state_ != State::waiting) return false;
  state_ = State::running;
  on_change_ = std::move(on_change);
  if (options_.progress) progress_.push_back(Begun{});
  changed_.notify_all();
  return true;
}

void Execution::report(Progress progress) {
  std::lock_guard lock(mutex_);
  if (state_ != State::running || !options_.progress) return;
  if (const auto* chunk = std::get_if<OutputChunk>(&progress)) {
    const std::size_t reach = std::min<std::size_t>(progress_.size(), progress_.size() < max_progress ? 1 : 2);
    for (std::size_t back = 1; back <= reach; ++back) {
      if (takes(progress_[progress_.size() - back], *chunk)) return;
    }
  }
  progress_.push_back(std::move(progress));
  changed_.notify_all();
}

void Execution::finish(Outcome outcome) {
  std::lock_guard lock(mutex_);
  if (state_ == State::ended || state_ == State::given_up) return;
  outcome_ = std::move(outcome);
  state_ = State::ended;
  changed_.notify_all();
}

bool Execution::cancelled() const {
  std::lock_guard lock(mutex_);
  return cancelled_;
}

Execution::Input Execution::take_input() {
  std::lock_guard lock(mutex_);
  Input taken{std::move(input_.bytes), input_.whole};
  input_.bytes.clear();
  return taken;
}

}  // namespace pbotvm::machine

// SPDX-License-Identifier: MIT
#include "machine/execution.h"

#include <utility>

namespace pbotvm::machine {

Execution::Execution(Job job, Deadline queue_deadline) : job_(std::move(job)), queue_deadline_(queue_deadline) {}

std::optional<Outcome> Execution::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, queue_deadline_.point(), [this] { return state_ != State::waiting; });
  if (state_ == State::waiting) {
    state_ = State::given_up;
    return std::nullopt;
  }
  // No deadline here: the machine's thread bounds every job that it has begun.
  changed_.wait(lock, [this] { return state_ == State::ended; });
  return std::move(outcome_);
}

bool Execution::waiting() const {
  std::lock_guard lock(mutex_);
  return state_ == State::waiting;
}

bool Execution::begin() {
  std::lock_guard lock(mutex_);
  if (state_ != State::waiting) return false;
  state_ = State::running;
  changed_.notify_all();
  return true;
}

void Execution::finish(Outcome outcome) {
  std::lock_guard lock(mutex_);
  if (state_ == State::ended || state_ == State::given_up) return;
  outcome_ = std::move(outcome);
  state_ = State::ended;
  changed_.notify_all();
}

}  // namespace pbotvm::machine

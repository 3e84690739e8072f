// SPDX-License-Identifier: MIT
#include "service/request_control.h"

#include <utility>

namespace pbotvm::service {

void RequestControl::cancel() {
  stop_.request_stop();
}

void RequestControl::refuse(const std::string& text) {
  {
    std::lock_guard lock(mutex_);
    if (refusal_.empty()) refusal_ = text;
  }
  cancel();
}

void RequestControl::reply_lost() {
  if (const auto undo = std::exchange(undo_, nullptr)) undo();
}

bool RequestControl::add_input(std::string_view bytes) {
  std::shared_ptr<machine::Execution> execution;
  {
    std::lock_guard lock(mutex_);
    if (input_ended_ || detached_) return true;  // nobody will read it
    execution = execution_;
    if (!execution && !pending_.empty() && pending_.size() + bytes.size() > max_waiting_input) return false;
    if (!execution) pending_.append(bytes);
  }
  return !execution || execution->add_input(bytes);
}

void RequestControl::end_input() {
  std::shared_ptr<machine::Execution> execution;
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(input_ended_, true)) return;
    execution = execution_;
  }
  if (execution) execution->end_input();
}

std::string RequestControl::refusal() const {
  std::lock_guard lock(mutex_);
  return refusal_;
}

// Under the lock throughout: a word that comes meanwhile must not overtake what waited.
void RequestControl::attach(std::shared_ptr<machine::Execution> execution) {
  std::lock_guard lock(mutex_);
  if (!pending_.empty()) execution->add_input(pending_);
  pending_.clear();
  if (input_ended_) execution->end_input();
  execution_ = std::move(execution);
}

void RequestControl::detach() {
  std::lock_guard lock(mutex_);
  execution_.reset();
  pending_.clear();
  detached_ = true;
}

}  // namespace pbotvm::service

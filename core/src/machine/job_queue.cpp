// SPDX-License-Identifier: MIT
#include "machine/job_queue.h"

#include <algorithm>
#include <utility>

namespace pbotvm::machine {

JobQueue::JobQueue(std::size_t limit, std::function<void()> on_push) : limit_(limit), on_push_(std::move(on_push)) {}

void JobQueue::push(const std::shared_ptr<Execution>& execution) {
  {
    std::lock_guard lock(mutex_);
    if (!closed_.empty()) return execution->finish(Unavailable{closed_});
    forget_given_up();
    if (waiting_.size() >= limit_) {
      return execution->finish(
          Unavailable{"busy, " + std::to_string(waiting_.size()) + " requests are waiting already; try again soon"});
    }
    waiting_.push_back(execution);
  }
  on_push_();
}

std::shared_ptr<Execution> JobQueue::pop(const std::function<void()>& on_change) {
  std::lock_guard lock(mutex_);
  while (!waiting_.empty()) {
    auto execution = std::move(waiting_.front());
    waiting_.pop_front();
    if (execution->begin(on_change)) return execution;
  }
  return nullptr;
}

void JobQueue::close(const std::string& why) {
  std::lock_guard lock(mutex_);
  closed_ = why;
  for (auto& execution : waiting_) execution->finish(Unavailable{why});
  waiting_.clear();
}

void JobQueue::open() {
  std::lock_guard lock(mutex_);
  closed_.clear();
}

std::size_t JobQueue::size() const {
  std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(waiting_.begin(), waiting_.end(), [](const auto& execution) { return execution->waiting(); }));
}

// Those whose clients left while no job was taken out, say because the machine boots.
void JobQueue::forget_given_up() {
  std::erase_if(waiting_, [](const auto& execution) { return !execution->waiting(); });
}

}  // namespace pbotvm::machine

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <list>
#include <memory>

#include "job_run.h"

namespace pbotvm::guest {

/// All jobs of all conversations, and the sandboxes: one is always being kept ready.
class Jobs {
 public:
  Jobs(EventLoop& loop, const Containment& containment);

  static constexpr std::uint32_t slots = 1;  ///< jobs at one time

  bool full() const;
  JobRun* find(const JobOwner& owner, std::uint32_t id);
  void start(JobOwner& owner, std::uint32_t id, protocol::AnnouncedJob job);
  void abandon_all(const JobOwner& owner);  ///< they end, their frames go nowhere

  template <typename Function>
  void for_each(const JobOwner& owner, Function function) {
    for (auto& run : runs_) {
      if (run->owner() == &owner) function(*run);
    }
  }

  std::uint64_t served() const { return served_; }
  std::size_t running() const { return runs_.size(); }

 private:
  void refill();
  void match();
  void on_sandbox_failed(const std::string& why);
  void on_done(JobRun& run);
  void bury(std::unique_ptr<Sandbox> sandbox, std::function<void(const protocol::Clean&)> then);
  void erase(const JobRun& run);

  EventLoop& loop_;
  const Containment& containment_;
  Bounds expected_;  // what the last job wanted, the next will mostly want too
  std::list<std::unique_ptr<JobRun>> runs_;
  std::unique_ptr<Sandbox> ready_, making_;
  std::list<std::unique_ptr<Sandbox>> ending_;  // and those whose end could not be proven
  std::uint64_t served_ = 0;
};

}  // namespace pbotvm::guest

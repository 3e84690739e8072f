// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <list>
#include <memory>

#include "job_run.h"

namespace pbotvm::guest {

/// All jobs of all conversations, and the sandboxes: one more than there are slots, so that as many jobs as may come at
/// once each find one ready, also while the last one's is made as new.
class Jobs {
 public:
  Jobs(EventLoop& loop, const Containment& containment);

  /// Jobs at one time. Without namespaces it is one, whatever was asked for: nothing would keep several apart.
  std::uint32_t slots() const { return slots_; }

  /// What the last hello asks for: jobs at one time, and whether they will use the machine's own network. Jobs that run
  /// go on; what is needed of sandboxes is made when this program is idle, and what is too much is ended.
  void expect(std::uint32_t slots, bool network);

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
  bool at_rest() const;  ///< nothing runs, and all is prepared for what comes next

 private:
  using Sandboxes = std::list<std::unique_ptr<Sandbox>>;

  void match();
  bool serve(JobRun& run);
  void refill();
  void end_surplus();
  bool may_make() const;
  std::size_t occupied() const;
  std::size_t waiting() const;
  bool make_sandbox(bool network);
  void on_ready(const Sandbox* sandbox);
  void on_unusable(const Sandbox* sandbox, const std::string& why);
  void no_sandbox(const std::string& why);
  void on_done(JobRun& run);
  void renew(std::unique_ptr<Sandbox> sandbox);
  void bury(std::unique_ptr<Sandbox> sandbox, std::function<void(const protocol::Clean&)> then);
  void erase(const JobRun& run);
  static std::unique_ptr<Sandbox> take(Sandboxes& from, const Sandbox* sandbox);

  EventLoop& loop_;
  const Containment& containment_;
  Bounds expected_;  // what the last job wanted, the next will mostly want too
  std::list<std::unique_ptr<JobRun>> runs_;
  Sandboxes making_, ready_;
  Sandboxes ending_;  // and those whose end could not be proven
  std::uint32_t slots_ = 1;
  bool network_ = false;
  std::uint64_t served_ = 0;
};

}  // namespace pbotvm::guest

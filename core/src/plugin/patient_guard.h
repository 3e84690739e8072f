// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "pbotvm/error.h"
#include "plugin/guard.h"

namespace pbotvm::plugin {

/// Threads that run one task each and are used again.
class WorkerThreads {
  struct Worker;

 public:
  using Run = std::weak_ptr<Worker>;

  WorkerThreads();
  /// Waits for the tasks that were not abandoned, and until what they own is gone.
  ~WorkerThreads();
  WorkerThreads(const WorkerThreads&) = delete;
  WorkerThreads& operator=(const WorkerThreads&) = delete;

  /// Throws std::system_error when no thread can be had. The task must not throw. Any thread.
  Run run(std::function<void()> task);

  /// Nobody will wait for this task, which may never end: its thread ends with it, or with the process. Any
  /// thread. A thread that has come back meanwhile and runs another task is let go in the same way.
  void abandon(const Run& run);

  /// Abandoned tasks that still run. Any thread.
  std::size_t left_behind() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared: a thread that is left behind still refers to it
};

/// A plug-in that a guard calls no more.
struct Suspension {
  std::string kind, plugin;
  std::size_t calls_out = 0;  ///< that have not come back yet; 0: resume() takes it up again
};

/// A guard for calls that may never come back: runs them on another thread and stops waiting after some time. The
/// plug-in is suspended then: its later calls are refused at once, until resume() finds that it came back after all.
/// One object serves all plug-ins; owned by the host; any thread.
class PatientGuard {
 public:
  /// `patience` is how long a call may take.
  explicit PatientGuard(std::chrono::milliseconds patience = std::chrono::seconds(5)) : patience_(patience) {}

  /// As guarded(). `function` must own everything that it refers to, by value or shared_ptr, because it may run on
  /// after this returned. Throws Error{plugin} when the call did not come back, or the plug-in is suspended.
  template <typename Function>
  auto call(const Call& call, Function function) -> std::invoke_result_t<Function&> {
    using Value = std::invoke_result_t<Function&>;
    refuse_suspended(call);
    // shared: the thread may still run the task when this call has given up
    auto task = std::make_shared<std::packaged_task<Value()>>(std::move(function));
    std::future<Value> result = task->get_future();
    const auto back = std::make_shared<std::atomic<bool>>(false);  // shared: likewise
    const auto run = guarded(call, [&] {
      return threads_.run([task = std::move(task), back] {
        (*task)();
        *back = true;
      });
    });
    if (result.wait_for(patience_) != std::future_status::ready) {
      threads_.abandon(run);
      suspend(call, back);
    }
    return guarded(call, [&]() -> Value { return result.get(); });
  }

  bool suspended(const std::string& kind, const std::string& plugin) const;

  /// Those that are suspended, by kind and name. Any thread.
  std::vector<Suspension> suspensions() const;

  /// Takes those up again of which every call has come back, however late: they were slow, not stuck. Returns them. One
  /// with a call under way must not be called beside it. Any thread.
  std::vector<Suspension> resume();

  /// Calls that did not come back in time, and have not yet. Any thread.
  std::size_t left_behind() const { return threads_.left_behind(); }

 private:
  using CameBack = std::shared_ptr<const std::atomic<bool>>;  // shared with the thread of a call that was given up

  void refuse_suspended(const Call& call) const;
  [[noreturn]] void suspend(const Call& call, CameBack back);

  const std::chrono::milliseconds patience_;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::vector<CameBack>> suspended_;  // by kind and plug-in
  WorkerThreads threads_;
};

}  // namespace pbotvm::plugin

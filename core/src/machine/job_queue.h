// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "machine/execution.h"

namespace pbotvm::machine {

/// The jobs that wait for one machine: first come, first served, bounded. Any thread.
class JobQueue {
 public:
  /// `limit`: jobs that may wait at one time. `on_push` is called, without the lock, after a job came in.
  JobQueue(std::size_t limit, std::function<void()> on_push);

  /// Puts a job in line. When the queue is full or closed, it is finished at once with the reason.
  void push(const std::shared_ptr<Execution>& execution);

  /// The next job whose client still waits, already begun with this `on_change`; null when there is none.
  std::shared_ptr<Execution> pop(const std::function<void()>& on_change = nullptr);

  /// Turns every waiting job away and each later one at once, until open() is called.
  void close(const std::string& why);
  void open();

  std::size_t size() const;

 private:
  const std::size_t limit_;
  const std::function<void()> on_push_;
  void forget_given_up();

  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<Execution>> waiting_;
  std::string closed_;  // why; empty: open
};

}  // namespace pbotvm::machine

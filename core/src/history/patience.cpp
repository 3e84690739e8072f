// SPDX-License-Identifier: MIT
#include "history/patience.h"

#include <time.h>

#include <algorithm>

#include "history/editing.h"

namespace pbotvm::history {

namespace {

// What this thread has had of a processor: on a busy system the same work takes longer, and is no worse for that.
std::chrono::nanoseconds processor_time() {
  ::timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

Patience::Patience(std::chrono::nanoseconds of_processor, Time until)
    : end_(processor_time() + of_processor), until_(until) {}

bool Patience::spent() {
  // The clock of this thread is the slower one to read, and does not run ahead of the other.
  const auto now = std::chrono::steady_clock::now();
  if (now < look_at_) return false;
  const auto left = end_ - processor_time();
  if (left <= left.zero()) return true;
  if (now >= until_) throw EditError("This system is too busy for these edits; send them again later.");
  look_at_ = std::min(now + left, until_);
  return false;
}

}  // namespace pbotvm::history

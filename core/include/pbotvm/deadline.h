// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>

#include "pbotvm/abi.h"

PBOTVM_BEGIN_NAMESPACE

/// A point on the monotonic clock by which a call must have come back. A value, any thread.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  static Deadline in(std::chrono::milliseconds duration) { return Deadline(Clock::now() + duration); }
  static Deadline at(Clock::time_point point) { return Deadline(point); }

  Clock::time_point point() const { return point_; }
  bool expired() const { return Clock::now() >= point_; }

  /// Never negative.
  std::chrono::milliseconds remaining() const {
    return std::max(std::chrono::ceil<std::chrono::milliseconds>(point_ - Clock::now()), std::chrono::milliseconds(0));
  }

  /// As poll(2) wants it: milliseconds, at most an hour.
  int poll_timeout() const {
    return static_cast<int>(std::min(remaining(), std::chrono::milliseconds(3'600'000)).count());
  }

  friend Deadline earlier(const Deadline& a, const Deadline& b) { return a.point_ < b.point_ ? a : b; }

 private:
  explicit Deadline(Clock::time_point point) : point_(point) {}
  Clock::time_point point_;
};

PBOTVM_END_NAMESPACE

// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace pbotvm::history {

/// What something may take of a processor, counted from its making on, and until when it must be done, however busy the
/// system is. Of one thread, which must be the one that made it.
class Patience {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Patience(std::chrono::nanoseconds of_processor, Time until);

  /// Whether the processor time is used up. Throws EditError where it is not, but the time is over. Costs as much as a
  /// look at the clock.
  bool spent();

 private:
  const std::chrono::nanoseconds end_;  // on the clock of this thread
  const Time until_;
  Time look_at_{};
};

}  // namespace pbotvm::history

// SPDX-License-Identifier: MIT
#pragma once

#include <functional>

namespace pbotvm::image {

/// How an operation that takes long tells of itself, in percent from 0 to 100, and is told to end. Both are called by
/// the thread that runs the operation, several times a second; either may be empty.
struct Watch {
  std::function<void(double percent)> progress;
  std::function<bool()> cancelled;

  void report(double percent) const {
    if (progress) progress(percent);
  }
  bool wants_end() const { return cancelled && cancelled(); }
};

/// Being told to end is an outcome, not a failure: the images are then as good as before.
enum class Outcome { done, cancelled };

}  // namespace pbotvm::image

// SPDX-License-Identifier: MIT
#include "machine/recovery.h"

#include <algorithm>
#include <utility>

namespace pbotvm::machine {

bool is_fault(const JobAftermath& aftermath) {
  if (aftermath.protocol_fault || !aftermath.proven_clean) return true;
  switch (aftermath.limit) {
    case Limit::wall:
    case Limit::cpu:
    case Limit::memory:
    case Limit::output:
      return true;
    case Limit::cancelled:
      return !aftermath.unwanted;
    case Limit::none:
    case Limit::processes:
    case Limit::file_size:
      return false;
  }
  return true;
}

bool needs_revert(config::RevertPolicy policy, const JobAftermath& aftermath) {
  switch (policy) {
    case config::RevertPolicy::never:
      return false;
    case config::RevertPolicy::on_doubt:
      return aftermath.protocol_fault || !aftermath.proven_clean;
    case config::RevertPolicy::on_fault:
      return is_fault(aftermath);
    case config::RevertPolicy::always:
      return true;
  }
  return true;
}

std::chrono::seconds GrowingPause::after_failure(bool served) {
  if (!std::exchange(failed_, true) && served) return std::chrono::seconds::zero();
  const auto pause = next_;
  next_ = std::min(next_ * 2, std::chrono::seconds(60));
  return pause;
}

}  // namespace pbotvm::machine

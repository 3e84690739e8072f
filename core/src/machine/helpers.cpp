// SPDX-License-Identifier: MIT
#include "machine/helpers.h"

#include <unistd.h>

#include <chrono>

namespace pbotvm::machine {

void wake_up(const UniqueFd& event) {
  const std::uint64_t one = 1;
  (void)!::write(event.get(), &one, sizeof one);
}

std::string seconds_text(Deadline::Clock::duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return std::to_string(ms / 1000) + "." + std::to_string(ms % 1000 + 1000).substr(1) + " s";
}

}  // namespace pbotvm::machine

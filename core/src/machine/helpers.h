// SPDX-License-Identifier: MIT
#pragma once

// What the parts of Machine share.

#include <string>

#include "pbotvm/deadline.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::machine {

/// Makes an eventfd(2) readable. Any thread.
void wake_up(const UniqueFd& event);

/// "1.250 s"
std::string seconds_text(Deadline::Clock::duration duration);

}  // namespace pbotvm::machine

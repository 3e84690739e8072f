// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace pbotvm::c {

/// What gdb runs, in Python, for a program that uses helpers: breakpoints in the helpers' function, where the frame
/// above is the one that asks. "@FILE@" stands for the name of the author's code.
extern const std::string_view helpers_script;

}  // namespace pbotvm::c

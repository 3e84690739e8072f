// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace pbotvm {

/// A failure as one line without an end: no control characters, and of a very long one the
/// beginning and the end, where the remedy is.
std::string error_line(std::string_view text);

}  // namespace pbotvm

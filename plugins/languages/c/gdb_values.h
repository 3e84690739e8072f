// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace pbotvm::c {

/// gdb's text of one value or of several ("p=0x8, n=3") without what it says of memory that it could not read:
/// "0x8 <error: Cannot access memory at address 0x8>" becomes "0x8", and where nothing is left "?". The program's own
/// strings stay as they are.
std::string readable_values(std::string_view text);

/// Whether nothing worth showing is left of one value that readable_values() has made readable.
bool is_unreadable(std::string_view value);

}  // namespace pbotvm::c

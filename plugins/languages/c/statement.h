// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pbotvm::c {

/// The statement of C or C++ code that holds a place, on one line: up to its semicolon, or to the block that it begins.
/// `line` and `column` (a byte) are counted from 1. Without a column (0) it is the whole line; empty where the code has
/// no such place. Pure, linear in the length of the code.
std::string statement_at(std::string_view code, std::size_t line, std::size_t column);

}  // namespace pbotvm::c

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

#include "history/edit_grammar.h"
#include "history/patience.h"

namespace pbotvm::history {

inline constexpr std::size_t max_code = 1024 * 1024;  ///< bytes of an entry, and of the result of an edit

/// What somebody asked for cannot be done with this code. what() is the reply: one line.
class EditError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws EditError where code of so many bytes is larger than max_code.
void check_size(std::size_t size);

/// The code after one change. Throws EditError: nothing is found, a regular expression is wrong or takes too much, it
/// is not done by `until`, or the result would be larger than max_code. Valid UTF-8 stays so. Any thread.
std::string changed(std::string_view code, const Change& change, Patience::Time until);

}  // namespace pbotvm::history

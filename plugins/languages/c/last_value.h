// SPDX-License-Identifier: MIT
#pragma once

// What a snippet that prints nothing can show at its end.

#include <cstddef>
#include <string>
#include <vector>

#include "c_items.h"
#include "c_tokens.h"

namespace pbotvm::c {

/// A variable, or what an assignment was made to; as the author wrote it, on one line.
struct ShownVariable {
  std::string text;
  bool array = false;  ///< C: an array of one dimension
};

struct LastValue {
  enum class Kind {
    none,
    expression,  ///< the last statement is an expression with a value of its own
    variables,   ///< the last statement is run as it is, and then these are shown
  };
  Kind kind = Kind::none;
  std::string text;                      ///< of the expression, on one line
  std::size_t first = 0, last = 0;       ///< its tokens, without the semicolon
  std::vector<ShownVariable> variables;  ///< at least one
};

/// `statements` are the items that become the body of main, in their order. What is in doubt is not shown: a program
/// that compiles must still do so. Pure.
LastValue last_value(const std::vector<Token>& tokens, const std::vector<Item>& statements, bool cplusplus);

}  // namespace pbotvm::c

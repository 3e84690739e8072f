// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

#include "c_tokens.h"

namespace pbotvm::c {

enum class ItemKind {
  directive,
  function,     ///< a definition with its body
  declaration,  ///< what a function may need and may stand outside of one: types, prototypes, static and extern
                ///< variables
  tagged,       ///< a declarator behind the definition of a tagged type: `struct s {...} x = {1};`
  statement,
};

/// What stands between two places where a new declaration or statement can begin, outside of all braces.
struct Item {
  ItemKind kind{};
  std::size_t first = 0, last = 0;  ///< tokens, both included
  std::size_t name = 0;             ///< function: the token of its name
  std::size_t type = 0, body = 0;   ///< tagged: the tokens `struct` and `{`; the tag stands before the latter
  bool ended = true;                ///< by a semicolon or a body; false where the code ends without one
};

std::vector<Item> split_items(const std::vector<Token>& tokens);

}  // namespace pbotvm::c

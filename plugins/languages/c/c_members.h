// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "c_items.h"
#include "c_tokens.h"

namespace pbotvm::c {

struct Member {
  std::string name;
  bool array = false;
};

/// A structure that the snippet defines, and what is in it.
struct Structure {
  std::string type;  ///< as C or C++ writes it: "struct p"; "P"
  std::vector<Member> members;
};

/// The structures that the items define outside of all braces, as far as they are plain ones: no bases, no access
/// labels, no bit-fields, no nested definitions. At most 8, of at most 16 members. None where the code has conditions
/// of the preprocessor: one may be defined twice then. Pure.
std::vector<Structure> plain_structures(const std::vector<Token>& tokens, const std::vector<Item>& items,
                                        bool cplusplus);

}  // namespace pbotvm::c

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "c_items.h"

namespace pbotvm::c {

/// split_items() for C++: definitions of classes, templates, namespaces, `using`, static and constexpr variables and
/// prototypes are declarations; `std::vector<int> v{1, 2};`, `P p(3);` and all else are statements.
std::vector<Item> split_cpp_items(const std::vector<Token>& tokens);

/// Behind the angle brackets that begin at `at`, which stand behind a name; nothing where they are none but signs for
/// "less" and "greater".
std::optional<std::size_t> behind_angles(const std::vector<Token>& tokens, std::size_t at);

}  // namespace pbotvm::c

// SPDX-License-Identifier: MIT
#pragma once

// Macros of an author, or of his options, that would change the code which is put around his.

#include <set>
#include <string>
#include <string_view>

namespace pbotvm::c {

using Names = std::set<std::string, std::less<>>;

/// Whether the code around a snippet uses the name: keywords, main, argc ...
bool is_used_around(std::string_view name);

/// Of what stands behind -D: "X=4", "f(x)=x"; empty where that is no name.
std::string_view defined_name(std::string_view definition);

/// Directives that take the macros away, and those that bring them back. gcc and clang.
std::string hide_macros(const Names& names);
std::string restore_macros(const Names& names);

}  // namespace pbotvm::c

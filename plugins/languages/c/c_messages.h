// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace pbotvm::c {

/// What gcc printed, without what says nothing about the author's code ("In function 'main':", "compilation
/// terminated", the linker's object files). With `one_line` the places are left out as well: in code of one line they
/// tell nothing.
std::string compiler_messages(std::string_view text, bool one_line);

/// What a program printed to stderr, with the places of the sanitizer's messages left out for code of one line.
std::string runtime_messages(std::string_view text, bool one_line);

}  // namespace pbotvm::c

// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace pbotvm::c {

struct DiagnosticsContext {
  std::string_view file;     ///< what the author's code is called: "prog.c"
  bool one_line = false;     ///< places are left out: in code of one line they tell nothing
  bool knows_binary = true;  ///< %b in formats is understood by the library, whatever the compiler says about it
  bool carets = false;       ///< the line of a message is to be quoted
  std::string_view code{};   ///< what the author wrote; messages about what was put around it are left out
};

/// What a compiler and its linker printed, relative to what the author wrote: without the files of others, the ways
/// through templates, lists of candidates and what else says nothing about his code. gcc and clang, C and C++. Pure.
std::string compiler_messages(std::string_view text, const DiagnosticsContext& context);

}  // namespace pbotvm::c

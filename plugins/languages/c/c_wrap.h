// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pbotvm::c {

inline constexpr std::string_view source_name = "prog.c";  ///< of C

struct WrapOptions {
  bool cplusplus = false;
  bool value = true;                  ///< show the value of the last expression where nothing is printed
  bool headers = true;                ///< the usual headers, where the code includes none itself
  bool main = true;                   ///< put statements into a main, where the code has none itself
  bool library = true;                ///< there is one to call: what is put around the code needs it
  std::vector<std::string> includes;  ///< more headers: "stdio.h"
  std::vector<std::string> macros;    ///< names of those that the compiler was told: -DX
  std::string sanitized;              ///< see Preamble
  std::string prologue;               ///< C or C++ that stands behind the headers and before the code
};

/// A program for the compiler, and what to tell its author about how it was read.
struct WrappedProgram {
  std::string source;
  std::vector<std::string> notices;  ///< such as "warning: ...", one line each
};

/// Makes a program of a snippet. A whole program, one that defines main, keeps its text. Otherwise functions, types,
/// static variables and prototypes are lifted out and the rest becomes the body of main; a missing last semicolon is
/// added. More than 128 KiB of code is taken as a whole program, whatever it is. #line directives make the compiler
/// speak of the places that the author knows, in the file "prog.c" or "prog.cpp", and of "<wrapper>" where it speaks of
/// something else. Code that includes itself is a whole program. Pure, linear in the length of the code.
WrappedProgram wrap(std::string_view code, const WrapOptions& options = {});

}  // namespace pbotvm::c

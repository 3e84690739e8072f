// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pbotvm::c {

/// What one of the languages of this plug-in is: which compiler, and which standard it is told. Immutable.
struct Dialect {
  std::string_view name, other_name;  ///< what -lang= takes; the other may be empty
  std::string_view standard;          ///< of -std=
  bool cplusplus = false, clang = false;

  std::string_view source() const { return cplusplus ? "prog.cpp" : "prog.c"; }
  std::string_view compiler() const;

  /// What the compiler is told when a request brings no options; `carets` shows the lines that it speaks of.
  std::vector<std::string> default_options(bool carets = false) const;

  std::string caret_option(bool carets) const;

  /// The whole command; no `options` means the default ones.
  std::vector<std::string> compile_command(const std::vector<std::string>& options) const;

  /// Of "debian", "fedora" or "opensuse".
  std::vector<std::string> packages(std::string_view distribution) const;
};

/// All of them, in the order in which they are listed.
const std::vector<Dialect>& dialects();

/// By either name; throws std::out_of_range for one that is none.
const Dialect& dialect(std::string_view name);

}  // namespace pbotvm::c

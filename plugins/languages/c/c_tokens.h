// SPDX-License-Identifier: MIT
#pragma once

// Cuts C and C++ source into preprocessing tokens, as far as wrapping a snippet needs it (ISO C11 6.4, 6.10; C++
// [lex]). It judges nothing: what is wrong with the code is the compiler's to say.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace pbotvm::c {

enum class TokenKind { identifier, number, literal, punctuation, directive };

/// A piece of the source. Views point into the source, which must outlive it.
struct Token {
  TokenKind kind{};
  std::size_t begin = 0, end = 0;  ///< offsets into the source
  std::string_view text;
  bool line_start = false;  ///< nothing but blanks and comments stand before it in its line
  /// Of a bracket that has a partner: the partner's index among the tokens; else 0. (No opening bracket is a partner
  /// with index 0 of one before it, and a closing one is never asked.)
  std::size_t partner = 0;

  bool is(std::string_view spelling) const { return kind != TokenKind::literal && text == spelling; }
  bool assigns() const;  ///< = and += and their kin
  bool opens_brace() const { return is("{") || is("<%"); }
  bool closes_brace() const { return is("}") || is("%>"); }
  bool is_word() const { return kind == TokenKind::identifier; }
};

/// Comments and white space are left out, except for a comment without an end, which is a token so that it reaches the
/// compiler. A directive is one token: `#include` ends behind the header's name, so that code may follow in the same
/// line, every other one with its line. A `#` counts as one at the start of a line and behind `;`, `{` and `}`. C++ has
/// raw strings, and no `>>`: two brackets may end there. Prefixes and suffixes of literals are identifiers of their
/// own.
std::vector<Token> tokenize(std::string_view source, bool cplusplus = false);

/// The last token of the group that the token opens, the last of all when it is never closed; `at` itself if it opens
/// none.
std::size_t group_end(const std::vector<Token>& tokens, std::size_t at);

/// Of a directive's text: "include", "define", ...; and for define and undef the macro's name.
std::string_view directive_name(std::string_view directive);
std::string_view macro_name(std::string_view directive);

/// The first word of what a #define stands for; empty when it begins otherwise.
std::string_view macro_first_word(std::string_view directive);

}  // namespace pbotvm::c

// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "c_tokens.h"
#include "hidden_macros.h"

namespace pbotvm::c {

/// What the compiler takes for the file of all that was put around the author's code.
inline constexpr std::string_view around_name = "<wrapper>";

/// Pieces of the author's code, put where the compiler believes that they stand where he wrote them, and others of
/// which it is not to speak. Views must outlive it.
class SourceEmitter {
 public:
  /// `name` is what the author's file is called, `hidden` the macros that do not hold in code which is not his.
  SourceEmitter(std::string_view code, const std::vector<Token>& tokens, std::string_view name, const Names& hidden);

  /// As it is: directives, or what ends the author's own line.
  void raw(std::string_view text) { out_ += text; }

  /// Code that is not the author's, on lines of its own.
  void around(std::string_view text);

  /// From here on, and for good.
  void hide();

  /// The tokens from `first` to `last`, with all that stands between them. A directive gets a line of its own.
  void tokens(std::size_t first, std::size_t last);

  /// Starts a line that counts as the one of `offset`, at its column.
  void place(std::size_t offset);

  void end_line();

  std::string take() { return std::move(out_); }

 private:
  void pad(std::size_t from, std::size_t to);

  std::string_view code_;
  const std::vector<Token>& tokens_;
  std::string_view name_;
  std::string hide_, restore_;
  std::vector<std::size_t> line_starts_{0};
  std::size_t padding_left_;
  std::string out_;
};

}  // namespace pbotvm::c

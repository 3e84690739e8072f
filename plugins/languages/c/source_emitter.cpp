// SPDX-License-Identifier: MIT
#include "source_emitter.h"

#include <algorithm>

namespace pbotvm::c {

namespace {

constexpr std::size_t padding_budget = 64 * 1024;  // bytes of blanks that keep columns, in all

}  // namespace

SourceEmitter::SourceEmitter(std::string_view code, const std::vector<Token>& tokens, std::string_view name,
                             const Names& hidden)
    : code_(code),
      tokens_(tokens),
      name_(name),
      hide_(hide_macros(hidden)),
      restore_(restore_macros(hidden)),
      padding_left_(padding_budget) {
  for (std::size_t at = 0; at < code.size(); ++at)
    if (code[at] == '\n') line_starts_.push_back(at + 1);
}

void SourceEmitter::around(std::string_view text) {
  hide();
  out_ += text;
  end_line();
  out_ += restore_;
}

void SourceEmitter::hide() {
  end_line();
  out_ += "#line 1 \"" + std::string(around_name) + "\"\n" + hide_;
}

void SourceEmitter::tokens(std::size_t first, std::size_t last) {
  for (std::size_t at = first; at <= last; ++at) {
    const Token& token = tokens_[at];
    const bool beside_directive = at > first && !token.line_start &&
                                  (token.kind == TokenKind::directive || tokens_[at - 1].kind == TokenKind::directive);
    if (at == first || beside_directive) {
      place(token.begin);
    } else {
      out_ += code_.substr(tokens_[at - 1].end, token.begin - tokens_[at - 1].end);
    }
    out_ += token.text;
  }
}

void SourceEmitter::place(std::size_t offset) {
  const auto next = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  end_line();
  out_ += "#line " + std::to_string(next - line_starts_.begin()) + " \"" + std::string(name_) + "\"\n";
  pad(*(next - 1), offset);
}

void SourceEmitter::end_line() {
  if (!out_.empty() && out_.back() != '\n') out_ += '\n';
}

void SourceEmitter::pad(std::size_t from, std::size_t to) {
  if (to - from > padding_left_) return;
  padding_left_ -= to - from;
  for (const char c : code_.substr(from, to - from)) {
    const bool continues = (static_cast<unsigned char>(c) & 0xc0) == 0x80;
    if (!continues) out_ += c == '\t' ? '\t' : ' ';
  }
}

}  // namespace pbotvm::c

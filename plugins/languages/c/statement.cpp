// SPDX-License-Identifier: MIT
#include "statement.h"

#include <algorithm>
#include <vector>

#include "c_tokens.h"

namespace pbotvm::c {

namespace {

// The line without what surrounds it.
std::string_view line_of(std::string_view code, std::size_t line) {
  for (; line > 1; --line) {
    const std::size_t end = code.find('\n');
    if (end == std::string_view::npos) return {};
    code.remove_prefix(end + 1);
  }
  return code.substr(0, code.find('\n'));
}

std::string on_one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!blank) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

// Ends a statement, or stands before or behind one.
bool divides(const Token& token) {
  return token.is(";") || token.is("{") || token.is("}") || token.kind == TokenKind::directive;
}

// A brace that belongs to a statement: an initialiser's. What follows a bracket or one of these words is a block.
bool is_value(const std::vector<Token>& tokens, std::size_t brace) {
  if (brace == 0) return false;
  const Token& before = tokens[brace - 1];
  if (before.is_word()) return !(before.is("else") || before.is("do") || before.is("try"));
  return before.is("=") || before.is(",") || before.is("]");
}

bool opens(const std::vector<Token>& tokens, std::size_t at) {
  return tokens[at].is("(") || tokens[at].is("[") || (tokens[at].is("{") && is_value(tokens, at));
}

// Out of the brackets around the token, as far as no block stands between.
std::size_t out_of_brackets(const std::vector<Token>& tokens, std::size_t at) {
  std::size_t outermost = at;
  for (std::size_t before = at; before-- > 0;) {
    if (tokens[before].partner <= at) continue;
    if (!opens(tokens, before)) break;
    outermost = before;
  }
  return outermost;
}

std::size_t first_of(const std::vector<Token>& tokens, std::size_t at) {
  at = out_of_brackets(tokens, at);
  while (at > 0) {
    const Token& before = tokens[at - 1];
    const bool closes = before.is(")") || before.is("]") || (before.is("}") && is_value(tokens, before.partner));
    if (!closes && divides(before)) break;
    at = closes && before.partner < at - 1 ? before.partner : at - 1;
  }
  return at;
}

// One behind the last one.
std::size_t end_of(const std::vector<Token>& tokens, std::size_t at) {
  const std::size_t first = at;
  while (at < tokens.size()) {
    if (tokens[at].is(";")) return at + 1;
    if (opens(tokens, at)) {
      at = std::max(at, tokens[at].partner);
    } else if (at > first && divides(tokens[at])) {
      return at;
    }
    ++at;
  }
  return at;
}

}  // namespace

std::string statement_at(std::string_view code, std::size_t line, std::size_t column) {
  if (line == 0) return {};
  const std::string_view whole = line_of(code, line);
  if (whole.data() == nullptr) return {};
  if (column == 0 || column > whole.size()) return on_one_line(whole);
  const std::size_t place = static_cast<std::size_t>(whole.data() - code.data()) + column - 1;
  const std::vector<Token> tokens = tokenize(code);
  std::size_t at = 0;
  while (at < tokens.size() && tokens[at].end <= place) ++at;
  if (at == tokens.size()) return on_one_line(whole);
  const std::size_t first = first_of(tokens, at), end = end_of(tokens, first);
  if (end <= first) return on_one_line(whole);
  return on_one_line(code.substr(tokens[first].begin, tokens[end - 1].end - tokens[first].begin));
}

}  // namespace pbotvm::c

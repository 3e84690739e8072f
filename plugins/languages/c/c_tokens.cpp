// SPDX-License-Identifier: MIT
#include "c_tokens.h"

#include <algorithm>
#include <array>

namespace pbotvm::c {

namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

// The offset behind the line's end is never reached: a line without one ends with the source.
std::size_t line_end(std::string_view source, std::size_t at) {
  return std::min(source.find('\n', at), source.size());
}

// Behind a string or character literal that begins at `at`. One without an end stops with its line.
std::size_t literal_end(std::string_view source, std::size_t at) {
  const char quote = source[at++];
  while (at < source.size() && source[at] != quote && source[at] != '\n') at += source[at] == '\\' ? 2 : 1;
  if (at < source.size() && source[at] == quote) ++at;
  return std::min(at, source.size());
}

// Behind a // comment, whose line may be continued.
std::size_t line_comment_end(std::string_view source, std::size_t at) {
  while (at < source.size() && source[at] != '\n') at += source[at] == '\\' ? 2 : 1;
  return std::min(at, source.size());
}

constexpr std::size_t unterminated = std::string_view::npos;

// Behind a /* comment, or `unterminated`.
std::size_t block_comment_end(std::string_view source, std::size_t at) {
  const std::size_t end = source.find("*/", at + 2);
  return end == std::string_view::npos ? unterminated : end + 2;
}

class Tokenizer {
 public:
  Tokenizer(std::string_view source, bool cplusplus) : source_(source), cplusplus_(cplusplus) {}

  std::vector<Token> run() {
    while (skip_space()) {
      const std::size_t begin = at_;
      const TokenKind kind = read();
      at_ = std::min(at_, source_.size());
      tokens_.push_back({kind, begin, at_, source_.substr(begin, at_ - begin), line_start_, 0});
      line_start_ = false;
    }
    pair_brackets();
    return std::move(tokens_);
  }

 private:
  bool sees(std::string_view text) const { return source_.substr(at_, text.size()) == text; }

  // False at the end of the source.
  bool skip_space() {
    while (at_ < source_.size()) {
      if (source_[at_] == '\n') {
        line_start_ = true;
        ++at_;
      } else if (is_blank(source_[at_])) {
        ++at_;
      } else if (sees("\\\n")) {
        at_ += 2;
      } else if (sees("//")) {
        at_ = line_comment_end(source_, at_);
      } else if (sees("/*") && block_comment_end(source_, at_) != unterminated) {
        const std::size_t end = block_comment_end(source_, at_);
        line_start_ = line_start_ || source_.substr(at_, end - at_).find('\n') != std::string_view::npos;
        at_ = end;
      } else {
        return true;
      }
    }
    return false;
  }

  // Reads one token at at_, which is none of the above.
  TokenKind read() {
    const char c = source_[at_];
    if (c == '/' && sees("/*")) {
      at_ = source_.size();
      return TokenKind::punctuation;
    }
    if ((c == '#' || sees("%:")) && may_begin_directive()) return read_directive();
    if (is_letter(c)) return read_identifier();
    if (is_digit(c) || (c == '.' && at_ + 1 < source_.size() && is_digit(source_[at_ + 1]))) return read_number();
    if (c == '"' || c == '\'') {
      at_ = literal_end(source_, at_);
      return TokenKind::literal;
    }
    return read_punctuation();
  }

  TokenKind read_identifier() {
    const std::size_t begin = at_;
    while (at_ < source_.size()) {
      const bool spliced = sees("\\\n") && at_ + 2 < source_.size() && is_letter(source_[at_ + 2]);
      if (!spliced && !is_letter(source_[at_]) && !is_digit(source_[at_])) break;
      at_ += spliced ? 3 : 1;
    }
    const std::string_view word = source_.substr(begin, at_ - begin);
    const bool raw = word == "R" || word == "u8R" || word == "uR" || word == "UR" || word == "LR";
    if (!cplusplus_ || !raw || !sees("\"")) return TokenKind::identifier;
    read_raw_string();
    return TokenKind::literal;
  }

  // R"delimiter(...)delimiter", C++ [lex.string]. One without an end takes the rest, as the compiler has it.
  void read_raw_string() {
    constexpr std::size_t longest_delimiter = 16;
    const std::size_t open = source_.find('(', at_);
    if (open == std::string_view::npos || open - at_ - 1 > longest_delimiter) {
      at_ = literal_end(source_, at_);
      return;
    }
    const std::string end = ')' + std::string(source_.substr(at_ + 1, open - at_ - 1)) + '"';
    const std::size_t close = source_.find(end, open);
    at_ = close == std::string_view::npos ? source_.size() : close + end.size();
  }

  // 6.4.8, with the digit separators of C23.
  TokenKind read_number() {
    for (++at_; at_ < source_.size(); ++at_) {
      const char c = source_[at_];
      const char last = source_[at_ - 1];
      const bool sign = (c == '+' || c == '-') && (last == 'e' || last == 'E' || last == 'p' || last == 'P');
      const bool separator = c == '\'' && at_ + 1 < source_.size() && is_digit(source_[at_ + 1]);
      if (!is_letter(c) && !is_digit(c) && c != '.' && !sign && !separator) break;
    }
    return TokenKind::number;
  }

  // Those that would change what they stand in when read as several: an = that is none, a bracket that is none.
  TokenKind read_punctuation() {
    constexpr std::array<std::string_view, 30> longer = {
        "<<=", ">>=", "<=>", "->*", "...", "==", "<=", ">=", "!=", "+=", "-=", "*=", "/=", "%=", "&=",
        "|=",  "^=",  "<%",  "%>",  "<:",  ":>", "->", "++", "--", "&&", "||", "::", "<<", ".*", "##"};
    // [lex.pptoken]: `a<::b>` is no digraph.
    const bool angle = cplusplus_ && sees("<::") && !sees("<:::") && !sees("<::>");
    const auto found = std::find_if(longer.begin(), longer.end(), [&](std::string_view text) { return sees(text); });
    at_ += angle || found == longer.end() ? 1 : found->size();
    return TokenKind::punctuation;
  }

  bool may_begin_directive() const {
    if (line_start_ || tokens_.empty()) return true;
    const Token& last = tokens_.back();
    return last.kind == TokenKind::directive || last.is(";") || last.is("{") || last.is("}");
  }

  TokenKind read_directive() {
    const bool include = directive_name(source_.substr(at_)).substr(0, 7) == "include";
    while (at_ < source_.size() && source_[at_] != '\n') {
      if (source_[at_] == '\\') {
        at_ += 2;
      } else if (sees("//")) {
        at_ = line_comment_end(source_, at_);
      } else if (sees("/*")) {
        at_ = std::min(block_comment_end(source_, at_), source_.size());
      } else if (source_[at_] == '"') {
        at_ = literal_end(source_, at_);
        if (include) break;
      } else if (source_[at_] == '<' && include) {
        at_ = std::min(source_.find('>', at_), line_end(source_, at_));
        if (sees(">")) ++at_;
        break;
      } else {
        ++at_;
      }
    }
    return TokenKind::directive;
  }

  void pair_brackets() {
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i].kind != TokenKind::punctuation) continue;
      const std::string_view text = tokens_[i].text;
      if (text == "(" || text == "[" || text == "{" || text == "<%" || text == "<:") {
        open.push_back(i);
      } else if (!open.empty() && closes(tokens_[open.back()].text, text)) {
        tokens_[open.back()].partner = i;
        tokens_[i].partner = open.back();
        open.pop_back();
      }
    }
  }

  static bool closes(std::string_view open, std::string_view close) {
    if (open == "(") return close == ")";
    if (open == "[" || open == "<:") return close == "]" || close == ":>";
    return close == "}" || close == "%>";
  }

  std::string_view source_;
  bool cplusplus_ = false;
  std::size_t at_ = 0;
  bool line_start_ = true;
  std::vector<Token> tokens_;
};

// Behind the blanks, comments and continued lines of a directive.
std::size_t behind_space(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    if (is_blank(text[at])) {
      ++at;
    } else if (text.substr(at, 2) == "\\\n") {
      at += 2;
    } else if (text.substr(at, 2) == "/*") {
      at = std::min(block_comment_end(text, at), text.size());
    } else {
      break;
    }
  }
  return at;
}

// The words of a directive: its name first.
std::string_view next_word(std::string_view text, std::size_t& at) {
  at = behind_space(text, at);
  const std::size_t begin = at;
  while (at < text.size() && (is_letter(text[at]) || (at > begin && is_digit(text[at])))) ++at;
  return text.substr(begin, at - begin);
}

std::size_t behind_hash(std::string_view directive) {
  return directive.substr(0, 2) == "%:" ? 2 : 1;
}

}  // namespace

bool Token::assigns() const {
  constexpr std::array<std::string_view, 11> all = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="};
  return kind == TokenKind::punctuation && std::find(all.begin(), all.end(), text) != all.end();
}

std::vector<Token> tokenize(std::string_view source, bool cplusplus) {
  return Tokenizer(source, cplusplus).run();
}

std::size_t group_end(const std::vector<Token>& tokens, std::size_t at) {
  const Token& token = tokens[at];
  if (token.kind != TokenKind::punctuation) return at;
  const bool opens = token.is("(") || token.is("[") || token.is("<:") || token.opens_brace();
  if (!opens) return at;
  return token.partner != 0 ? token.partner : tokens.size() - 1;
}

std::string_view directive_name(std::string_view directive) {
  std::size_t at = behind_hash(directive);
  return next_word(directive, at);
}

std::string_view macro_name(std::string_view directive) {
  std::size_t at = behind_hash(directive);
  const std::string_view name = next_word(directive, at);
  return name == "define" || name == "undef" ? next_word(directive, at) : std::string_view();
}

std::string_view macro_first_word(std::string_view directive) {
  std::size_t at = behind_hash(directive);
  if (next_word(directive, at) != "define") return {};
  next_word(directive, at);
  if (at < directive.size() && directive[at] == '(') at = std::min(directive.find(')', at), directive.size() - 1) + 1;
  return next_word(directive, at);
}

}  // namespace pbotvm::c

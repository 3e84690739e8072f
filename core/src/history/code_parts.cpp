// SPDX-License-Identifier: MIT
#include "history/code_parts.h"

#include <algorithm>
#include <cctype>
#include <iterator>

namespace pbotvm::history {

namespace {

constexpr std::string_view blanks = " \t\r\n\v\f";
constexpr std::string_view input_option = "-stdin";

bool is_blank(char c) {
  return blanks.find(c) != std::string_view::npos;
}
bool is_quote(char c) {
  return c == '"' || c == '\'';
}

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(blanks, at), text.size());
}

// The end of a shell's word.
std::size_t word_end(std::string_view text, std::size_t at) {
  while (at < text.size() && !is_blank(text[at])) {
    if (is_quote(text[at])) {
      const char quote = text[at++];
      while (at < text.size() && text[at] != quote) at += quote == '"' && text[at] == '\\' ? 2 : 1;
      ++at;
    } else {
      at += text[at] == '\\' ? 2 : 1;
    }
  }
  return std::min(at, text.size());
}

bool begins_option(std::string_view text, std::size_t at) {
  if (at >= text.size() || text[at] != '-') return false;
  if (at + 1 < text.size() && text[at + 1] == '-') ++at;
  return at + 1 < text.size() && std::isalpha(static_cast<unsigned char>(text[at + 1]));
}

bool is_pbots_own(std::string_view option) {
  return option == "-info" || option == "-paste" || option == "-args";
}

bool takes_value(std::string_view option, const OptionReading& reading) {
  return option == "-args" ||
         std::find(reading.with_value.begin(), reading.with_value.end(), option) != reading.with_value.end();
}

// A quote quotes only when its partner stands in the same line; else it is an apostrophe.
std::size_t skip_quote(std::string_view code, std::size_t at) {
  for (std::size_t i = at + 1; i < code.size() && code[i] != '\n'; ++i) {
    if (code[i] == '\\') {
      ++i;
    } else if (code[i] == code[at]) {
      return i + 1;
    }
  }
  return at + 1;
}

// Where the word -stdin stands outside of quotes, or the text's end.
std::size_t find_input(std::string_view code) {
  for (std::size_t at = 0; at < code.size();) {
    const std::size_t end = at + input_option.size();
    if (is_quote(code[at])) {
      at = skip_quote(code, at);
    } else if (code.substr(at).starts_with(input_option) && (at == 0 || is_blank(code[at - 1])) &&
               (end == code.size() || is_blank(code[end]))) {
      return at;
    } else {
      at += code[at] == '\\' ? 2 : 1;
    }
  }
  return code.size();
}

}  // namespace

CodeParts take_apart(std::string_view text, const OptionReading& reading) {
  CodeParts parts;
  std::size_t at = 0;
  while (begins_option(text, at)) {
    std::size_t end = word_end(text, at);
    const auto name = text.substr(at, end - at);
    if (name == input_option || (!reading.takes_options && !is_pbots_own(name))) break;
    if (takes_value(name, reading)) {
      if (const auto value = skip_blanks(text, end); value < text.size()) end = word_end(text, value);
    }
    parts.options.emplace_back(text.substr(at, end - at));
    at = skip_blanks(text, end);
  }
  text.remove_prefix(at);
  const std::size_t input = find_input(text);
  parts.input = text.substr(input);
  parts.code = text.substr(0, input);
  parts.code.erase(parts.code.find_last_not_of(blanks) + 1);
  return parts;
}

std::string put_together(const CodeParts& parts) {
  std::string text;
  for (const auto& option : parts.options) text += option + " ";
  text += parts.code;
  if (parts.input.empty()) return text;
  return text + (parts.code.empty() ? "" : " ") + parts.input;
}

std::vector<std::string> take_one_off_options(CodeParts& parts) {
  std::vector<std::string> kept, taken;
  for (auto& option : parts.options)
    (option == "-info" || option == "-paste" ? taken : kept).push_back(std::move(option));
  parts.options = std::move(kept);
  return taken;
}

}  // namespace pbotvm::history

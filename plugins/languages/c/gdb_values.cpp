// SPDX-License-Identifier: MIT
#include "gdb_values.h"

#include <algorithm>
#include <cctype>

namespace pbotvm::c {

namespace {

// Behind the string or character constant that begins at `at`.
std::size_t end_of_quoted(std::string_view text, std::size_t at) {
  const char quote = text[at++];
  while (at < text.size() && text[at] != quote) at += text[at] == '\\' ? 2 : 1;
  return std::min(text.size(), at + 1);
}

// Behind "<error ...>", whose words may hold types with brackets of their own.
std::size_t end_of_error(std::string_view text, std::size_t at) {
  int depth = 0;
  for (; at < text.size(); ++at) {
    if (text[at] == '<') ++depth;
    if (text[at] == '>' && --depth == 0) return at + 1;
  }
  return at;
}

}  // namespace

std::string readable_values(std::string_view text) {
  std::string readable;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    if (text[at] == '"' || text[at] == '\'') {
      end = end_of_quoted(text, at);
    } else if (text.substr(at).starts_with("<error")) {
      at = end_of_error(text, at);
      while (!readable.empty() && readable.back() == ' ') readable.pop_back();
      const bool something = !readable.empty() && (std::isalnum(static_cast<unsigned char>(readable.back())) != 0 ||
                                                   readable.back() == '"' || readable.back() == '}');
      if (!something) readable += readable.ends_with(" =") ? " ?" : "?";
      continue;
    }
    readable += text.substr(at, end - at);
    at = end;
  }
  return readable;
}

bool is_unreadable(std::string_view value) {
  int depth = 0;
  for (std::size_t at = 0; at < value.size();) {
    if (value[at] == '"' || value[at] == '\'') {
      at = end_of_quoted(value, at);
      continue;
    }
    depth += value[at] == '{' ? 1 : value[at] == '}' ? -1 : 0;
    ++at;
  }
  return value.empty() || value == "?" || depth > 0;  // the last one: the list ended where an element was not readable
}

}  // namespace pbotvm::c

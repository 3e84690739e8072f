// SPDX-License-Identifier: MIT
#include "service/shown_name.h"

#include <cstdio>

#include "pbotvm/reply_text.h"
#include "service/utf8.h"

namespace pbotvm::service {

namespace {

constexpr std::size_t shown_bytes = 80;

// printable() leaves line ends and what colours a line of IRC: right for output, not for a name.
void show_control(std::string& to, char c) {
  char escaped[5];
  std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned char>(c));
  to += escaped;
}

}  // namespace

std::string in_quotes(std::string_view name) {
  auto shown = name.substr(0, shown_bytes);
  if (shown.size() < name.size()) shown.remove_suffix(incomplete_utf8_tail(shown));
  std::string text = "'";
  for (const char c : printable(shown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      show_control(text, c);
    } else {
      text += c;
    }
  }
  return text + (shown.size() < name.size() ? "...'" : "'");
}

}  // namespace pbotvm::service

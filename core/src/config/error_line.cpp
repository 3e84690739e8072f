// SPDX-License-Identifier: MIT
#include "config/error_line.h"

namespace pbotvm {

namespace {

constexpr std::size_t most_of_a_line = 1000, shown_of_its_end = 300;  // bytes

// That place, or the one right before it where a character of UTF-8 begins.
std::size_t character_at(std::string_view text, std::size_t place) {
  while (place > 0 && place < text.size() && (static_cast<unsigned char>(text[place]) & 0xc0) == 0x80) --place;
  return place;
}

}  // namespace

std::string error_line(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (c == '\n' || c == '\t') c = ' ';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  if (line.size() > most_of_a_line) {
    const auto begin = character_at(line, most_of_a_line - shown_of_its_end);
    line = line.substr(0, begin) + " ... " + line.substr(character_at(line, line.size() - shown_of_its_end));
  }
  return line;
}

}  // namespace pbotvm

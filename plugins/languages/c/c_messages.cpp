// SPDX-License-Identifier: MIT
#include "c_messages.h"

#include <vector>

#include "c_wrap.h"

namespace pbotvm::c {

namespace {

bool begins(std::string_view text, std::string_view with) {
  return text.substr(0, with.size()) == with;
}
bool ends(std::string_view text, std::string_view with) {
  return text.size() >= with.size() && text.substr(text.size() - with.size()) == with;
}
bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Behind "prog.c:3:5: " or "prog.c:3: "; 0 when the line does not begin so.
std::size_t place_length(std::string_view line) {
  if (!begins(line, source_name)) return 0;
  std::size_t at = source_name.size();
  int numbers = 0;
  while (at < line.size() && line[at] == ':') {
    const std::size_t digits = line.find_first_not_of("0123456789", at + 1);
    if (digits == std::string_view::npos || digits == at + 1) break;
    at = digits;
    ++numbers;
  }
  return numbers > 0 && line.substr(at, 2) == ": " ? at + 2 : 0;
}

bool is_noise(std::string_view line) {
  if (begins(line, source_name) && ends(line, ":") && (holds(line, ": In function ") || holds(line, ": At top level")))
    return true;
  if (begins(line, "compilation terminated")) return true;
  if (holds(line, "note: each undeclared identifier is reported only once")) return true;
  return begins(line, "/usr/bin/ld: ") && holds(line, ": in function `") && ends(line, "':");
}

// The linker names its own path, and the source with the directory of the job.
std::string_view without_paths(std::string_view line) {
  constexpr std::string_view linker = "/usr/bin/ld: ";
  if (begins(line, linker)) line.remove_prefix(linker.size());
  if (!begins(line, "/")) return line;
  const std::size_t space = line.find(' ');
  const std::size_t name = line.substr(0, space).rfind('/') + 1;
  return place_length(line.substr(name)) > 0 ? line.substr(name) : line;
}

template <typename Function>
void each_line(std::string_view text, Function function) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    function(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

}  // namespace

std::string compiler_messages(std::string_view text, bool one_line) {
  constexpr std::string_view first_use = " (first use in this function)";
  std::string messages, linker_end;
  each_line(text, [&](std::string_view line) {
    if (is_noise(line)) return;
    line = without_paths(line);
    if (one_line) line.remove_prefix(place_length(line));
    if (ends(line, first_use)) line.remove_suffix(first_use.size());
    if (begins(line, "collect2: ")) {
      linker_end = line;
      return;
    }
    if (!messages.empty()) messages += '\n';
    messages += line;
  });
  return messages.empty() ? linker_end : messages;
}

std::string runtime_messages(std::string_view text, bool one_line) {
  if (!one_line) return std::string(text);
  std::string messages;
  each_line(text, [&](std::string_view line) {
    const std::size_t place = place_length(line);
    messages += begins(line.substr(place), "runtime error: ") ? line.substr(place) : line;
    messages += '\n';
  });
  if (!ends(text, "\n") && !messages.empty()) messages.pop_back();
  return messages;
}

}  // namespace pbotvm::c

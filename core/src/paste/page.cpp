// SPDX-License-Identifier: MIT
#include "paste/page.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace pbotvm::paste {

namespace {

constexpr std::string_view block_word = "CMDLINE";

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// Whether the word was there.
bool replace_word(std::string& text, const std::string& with) {
  const auto at = text.find(block_word);
  if (at == std::string::npos) return false;
  text.replace(at, block_word.size(), with);
  return true;
}

bool is_word(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return c < 0x80 && (std::isalnum(c) || c == '_'); });
}

// What ends a comment is mostly shorter than the mark that is written for it: */ of ***/.
std::string terminator_of(const std::string& end) {
  const bool alike = end.find_first_not_of(end.front()) == std::string::npos;
  return alike || end.size() <= 2 ? end : end.substr(end.size() - 2);
}

// A line that cannot end the comment in which it stands.
std::string harmless(std::string line, const std::string& end) {
  if (end.empty()) return line;
  if (is_word(end)) return line == end ? " " + line : line;
  const std::string terminator = terminator_of(end);
  for (std::size_t at = line.find(terminator); at != std::string::npos; at = line.find(terminator, at + 2))
    line.insert(terminator.size() == 1 ? at : at + 1, terminator.size() == 1 ? "\\" : " ");
  return line;
}

std::string block(CommentMarks marks, const std::string& name, const std::vector<std::string>& lines) {
  if (marks.end.empty()) {
    const std::string before = marks.begin.empty() ? "" : marks.begin + " ";
    std::string text = before + name + ":\n";
    for (const auto& line : lines) text += before + line + '\n';
    return text;
  }
  const bool named = replace_word(marks.begin, name);
  replace_word(marks.end, name);
  std::string text = marks.begin + (named ? "" : " " + name) + '\n';
  for (const auto& line : lines) text += harmless(line, marks.end) + '\n';
  return text + marks.end + '\n';
}

}  // namespace

std::string page_text(const Page& page) {
  std::string source = page.source;
  source.erase(source.find_last_not_of(" \t\r\n") + 1);
  std::vector<std::string> how = page.commands;
  const auto input = lines_of(page.input);
  if (!input.empty()) how.emplace_back("standard input:");
  how.insert(how.end(), input.begin(), input.end());
  return source + "\n\n" + block(page.marks, std::string(block_word), how) + '\n' +
         block(page.marks, "OUTPUT", lines_of(page.output));
}

}  // namespace pbotvm::paste

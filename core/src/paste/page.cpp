// SPDX-License-Identifier: MIT
#include "paste/page.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <utility>

namespace pbotvm::paste {

namespace {

constexpr std::string_view block_word = "CMDLINE";

// Each ends a line for some language, and with it a comment that reaches to its line's end: Python heeds \r, JavaScript
// U+2028, Racket U+0085. As UTF-8, the longer ones first.
constexpr std::array<std::string_view, 8> line_ends = {"\r\n", "\n",           "\r",           "\v",
                                                       "\f",   "\xe2\x80\xa8", "\xe2\x80\xa9", "\xc2\x85"};

// 0 where no line ends there.
std::size_t line_end_at(std::string_view text) {
  for (const auto end : line_ends) {
    if (text.starts_with(end)) return end.size();
  }
  return 0;
}

// U+202A to U+202E and U+2066 to U+2069 turn the direction of text, U+FEFF marks the order of bytes. Rust, Elixir and
// Go refuse them in comments, and GCC warns: other code could hide behind them.
bool is_refused(std::string_view character) {
  return (character.starts_with("\xe2\x80") && character[2] >= '\xaa' && character[2] <= '\xae') ||
         (character.starts_with("\xe2\x81") && character[2] >= '\xa6' && character[2] <= '\xa9') ||
         character == "\xef\xbb\xbf";
}

// A NUL, which shells leave out when they read a script, is shown: what stands around it could become an end mark.
std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  std::string line;
  for (std::size_t at = 0; at < text.size();) {
    if (const auto end = line_end_at(text.substr(at)); end != 0) {
      lines.push_back(std::exchange(line, {}));
      at += end;
    } else if (at + 3 <= text.size() && is_refused(text.substr(at, 3))) {
      line += "\xef\xbf\xbd";  // U+FFFD
      at += 3;
    } else {
      const char c = text[at++];
      line += c == '\0' ? std::string("\\0") : std::string(1, c);
    }
  }
  if (!line.empty()) lines.push_back(std::move(line));
  return lines;
}

// Whether the word was there.
bool replace_word(std::string& text, const std::string& with) {
  const auto at = text.find(block_word);
  if (at == std::string::npos) return false;
  text.replace(at, block_word.size(), with);
  return true;
}

std::string without_blanks(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

// OUTPUT and =cut are marks at the beginning of a line only, */ and ]] anywhere.
bool is_of_line(const std::string& mark) {
  return std::any_of(mark.begin(), mark.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
}

// So that the two characters do not follow each other.
void part(std::string& line, const std::string& pair) {
  for (std::size_t at = line.find(pair); at != std::string::npos; at = line.find(pair, at + 2))
    line.insert(at + 1, " ");
}

// The line as it may stand in a block comment of these marks without ending it, and without beginning another inside
// it, which would have to be ended too where comments nest.
std::string inside_block(std::string line, const CommentMarks& marks) {
  const std::string begin = without_blanks(marks.begin), end = without_blanks(marks.end);
  if (end.empty()) return line;
  if (is_of_line(end)) return without_blanks(line).starts_with(end) ? " " + line : line;
  if (end.size() == 1) {  // no blank can be put into it
    std::replace(line.begin(), line.end(), end.front(), '?');
    if (!begin.empty()) std::replace(line.begin(), line.end(), begin.back(), '?');
    if (end == "]") std::replace(line.begin(), line.end(), '!', '?');  // ends a program of Brainfuck
    return line;
  }
  // What ends a comment is mostly shorter than the mark that is written for it: the */ of ***/. Of a mark with more
  // than two characters that are all the same, such as ''', any two are. Of |}*) the |} ends something, too.
  for (std::size_t at = 0; at + 1 < end.size(); ++at) {
    if (at + 2 == end.size() || end[at] != end[at + 1]) part(line, end.substr(at, 2));
  }
  if (begin.size() >= 2 && !is_of_line(begin)) part(line, begin.substr(0, 2));
  // C joins a line to the one before it that ends with a backslash, before it looks for comments.
  if (line.starts_with(end.back())) line.insert(0, " ");
  return line;
}

// Java reads \u000a as a line's end and \u002a as a *, also in comments; C reads the trigraph ??/ as a backslash, which
// joins the next line to this one. PHP code that ends in HTML knows no comments behind it, but would run what <?
// begins.
std::string without_escapes(std::string line) {
  part(line, "\\u");
  part(line, "?/");
  part(line, "<?");
  return line;
}

std::string block(CommentMarks marks, const std::string& name, const std::vector<std::string>& lines) {
  if (marks.end.empty()) {
    const bool spaced = marks.begin.empty() || marks.begin.back() == ' ';
    const std::string before = marks.begin + (spaced ? "" : " ");
    std::string text = before + name + ":\n";
    for (const auto& line : lines) text += before + without_escapes(line) + '\n';
    return text;
  }
  const bool named = replace_word(marks.begin, name);
  replace_word(marks.end, name);
  std::string text = marks.begin + (named ? "" : " " + name) + '\n';
  for (const auto& line : lines) {
    text += inside_block(is_of_line(marks.end) ? line : without_escapes(line), marks) + '\n';
  }
  return text + marks.end + '\n';
}

}  // namespace

std::string page_text(const Page& page) {
  std::string source = page.source;
  source.erase(source.find_last_not_of(" \t\r\n") + 1);
  std::vector<std::string> how;
  for (const auto& command : page.commands) {
    const auto lines = lines_of(command);  // an argument may hold line ends
    how.insert(how.end(), lines.begin(), lines.end());
  }
  const auto input = lines_of(page.input);
  if (!input.empty()) how.emplace_back("standard input:");
  how.insert(how.end(), input.begin(), input.end());
  return source + "\n\n" + block(page.marks, std::string(block_word), how) + '\n' +
         block(page.marks, "OUTPUT", lines_of(page.output));
}

}  // namespace pbotvm::paste

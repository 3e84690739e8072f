// SPDX-License-Identifier: MIT
#include "compiler_lines.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "source_emitter.h"

namespace pbotvm::c {

namespace {

constexpr std::size_t longest_read = 4096;  // bytes of a line that is made shorter

// Of the linker, about files that it was given by the compiler; errors follow where it matters.
bool is_about_relocation(std::string_view line) {
  return holds(line, ".o: warning: relocation ") || line.ends_with("warning: creating DT_TEXTREL in a PIE");
}

std::string_view trim_front(std::string_view text) {
  const std::size_t at = text.find_first_not_of(' ');
  return at == std::string_view::npos ? std::string_view() : text.substr(at);
}

std::string replaced(std::string_view text, std::string_view what, std::string_view with) {
  std::string copy;
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what)) {
    copy.append(text.substr(0, at)).append(with);
    text.remove_prefix(at + what.size());
  }
  return copy.append(text);
}

// {aka 'std::basic_ostream<char>'}
std::string without_other_names(std::string_view text) {
  std::string copy;
  for (std::size_t at = text.find(" {aka "); at != std::string_view::npos; at = text.find(" {aka ")) {
    const std::size_t end = text.find('}', at);
    if (end == std::string_view::npos) break;
    copy.append(text.substr(0, at));
    text.remove_prefix(end + 1);
  }
  return copy.append(text);
}

// A compiler that knows a better name may mean one of ours, which nobody is to use.
std::string without_our_names(std::string_view text) {
  const std::size_t hint = text.find("; did you mean '");
  const bool ours =
      hint != std::string_view::npos && (holds(text.substr(hint), "'pbotvm_") || holds(text.substr(hint), "'PBOTVM_"));
  return std::string(ours ? text.substr(0, hint) : text);
}

}  // namespace

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

Placed read_place(std::string_view line) {
  const std::string_view name = line.substr(0, line.find(' '));  // whatever is a file's has no blank
  std::size_t behind = 0;
  for (std::size_t at = name.find(':'); at != std::string_view::npos; at = name.find(':', std::max(at + 1, behind))) {
    behind = at;
    int numbers = 0;
    while (behind < line.size() && line[behind] == ':') {
      const std::size_t digits = std::min(line.find_first_not_of("0123456789", behind + 1), line.size());
      if (digits == behind + 1) break;
      behind = digits;
      ++numbers;
    }
    if (numbers > 0 && line.substr(behind, 2) == ": ")
      return {line.substr(0, at), line.substr(0, behind + 2), line.substr(behind + 2)};
  }
  return {{}, {}, line};
}

// "  ^~~~", which clang puts under a line that it quotes.
bool is_mark(std::string_view line) {
  return holds(line, "^") && line.find_first_not_of(" \t^~") == std::string_view::npos;
}

// What was put around the code, or is included there.
bool is_ours(std::string_view file) {
  return file == around_name || holds(file, "/pbotvm/") || file.starts_with(".pbotvm-");
}

// "prog.c: In function 'main':", "1 error generated.", "In file included from ...".
bool is_noise(std::string_view line) {
  const bool heading = line.ends_with(":") && (holds(line, ": In ") || holds(line, ": At "));
  const bool included = line.starts_with("In file included from ") || line.starts_with("                 from ");
  const bool generated = line.ends_with(" generated.") && !line.empty() && line[0] >= '0' && line[0] <= '9';
  const bool linked = holds(line, ": in function `") && line.ends_with("':");
  return heading || included || generated || linked || line.starts_with("compilation terminated") ||
         line.starts_with("fatal error: too many errors emitted") ||
         line.ends_with(": all warnings being treated as errors") || line.ends_with(": Assembler messages:") ||
         is_about_relocation(line) || holds(line, "note: each undeclared identifier is reported only once");
}

// "error: ...", "warning: ...", "note: ..."
bool is_message(std::string_view rest) {
  return rest.starts_with("error: ") || rest.starts_with("warning: ") || rest.starts_with("fatal error: ");
}

// How a compiler comes to a message: "required from here", "in instantiation of ...".
bool is_way(std::string_view rest) {
  const std::string_view text = trim_front(rest);
  return text.starts_with("required ") || text.starts_with("recursively required ") ||
         text.starts_with("in 'constexpr' expansion") || text.starts_with("note: in instantiation of ") ||
         text.starts_with("note: in evaluation of ") || text.starts_with("[ skipping ");
}

// At most so many bytes, and no part of a character.
std::string_view cut(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  return text.substr(0, most);
}

// Names as people write them, no suffix that says nothing, a bounded length.
std::string shortened(std::string_view line) {
  constexpr std::string_view first_use = " (first use in this function)";
  const std::string_view read = cut(line, longest_read);
  std::string text = replaced(read, first_use, "");
  const std::initializer_list<std::pair<std::string_view, std::string_view>> names = {
      {"std::__cxx11::basic_string<char>", "std::string"},
      {"std::basic_string<char>", "std::string"},
      {"std::__cxx11::", "std::"},
      {"std::basic_ostream<char>", "std::ostream"},
      {"std::basic_istream<char>", "std::istream"},
      {"std::string >", "std::string>"},
  };
  for (const auto& [what, with] : names) text = replaced(text, what, with);
  text = without_our_names(without_other_names(text));
  if (text.size() <= longest_line && read.size() == line.size()) return text;
  return std::string(cut(text, longest_line)) + "...";
}

}  // namespace pbotvm::c

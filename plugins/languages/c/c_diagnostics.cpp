// SPDX-License-Identifier: MIT
#include "c_diagnostics.h"

#include <algorithm>
#include <initializer_list>
#include <unordered_set>
#include <utility>
#include <vector>

namespace pbotvm::c {

namespace {

constexpr std::size_t longest_line = 500;      // bytes
constexpr std::size_t longest_read = 4096;     // bytes of a line that is made shorter
constexpr std::size_t most_notes = 2;          // for one error or warning
constexpr std::size_t most_messages = 200;     // of a compiler
constexpr std::size_t most_text = 16 * 1024;   // bytes of them; a program can make a compiler print what it likes
constexpr std::size_t most_lines_ahead = 100;  // to look for the cause of a message
constexpr std::string_view no_more = "[there are more messages, which are not shown]";

bool begins(std::string_view text, std::string_view with) {
  return text.substr(0, with.size()) == with;
}
bool ends(std::string_view text, std::string_view with) {
  return text.size() >= with.size() && text.substr(text.size() - with.size()) == with;
}
bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

// A line cut behind its place: "prog.c:3:5: ", "/usr/include/c++/12/vector:9:1: ".
struct Placed {
  std::string_view file, place, rest;  // `place` includes the file; both are empty where the line has none
};

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

// "prog.c: In function 'main':", "1 error generated.", "In file included from ...".
bool is_noise(std::string_view line) {
  const bool heading = ends(line, ":") && (holds(line, ": In ") || holds(line, ": At "));
  const bool included = begins(line, "In file included from ") || begins(line, "                 from ");
  const bool generated = ends(line, " generated.") && !line.empty() && line[0] >= '0' && line[0] <= '9';
  const bool linked = begins(line, "/usr/bin/ld: ") && holds(line, ": in function `") && ends(line, "':");
  return heading || included || generated || linked || begins(line, "compilation terminated") ||
         begins(line, "fatal error: too many errors emitted") ||
         holds(line, "note: each undeclared identifier is reported only once");
}

// "error: ...", "warning: ...", "note: ..."
bool is_message(std::string_view rest) {
  return begins(rest, "error: ") || begins(rest, "warning: ") || begins(rest, "fatal error: ");
}

std::string_view trim_front(std::string_view text) {
  const std::size_t at = text.find_first_not_of(' ');
  return at == std::string_view::npos ? std::string_view() : text.substr(at);
}

// How a compiler comes to a message: "required from here", "in instantiation of ...".
bool is_way(std::string_view rest) {
  const std::string_view text = trim_front(rest);
  return begins(text, "required ") || begins(text, "recursively required ") ||
         begins(text, "in 'constexpr' expansion") || begins(text, "note: in instantiation of ") ||
         begins(text, "note: in evaluation of ") || begins(text, "[ skipping ");
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

// At most so many bytes, and no part of a character.
std::string_view cut(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  return text.substr(0, most);
}

// A compiler that knows a better name may mean one of ours, which nobody is to use.
std::string without_our_names(std::string_view text) {
  const std::size_t hint = text.find("; did you mean '");
  const bool ours =
      hint != std::string_view::npos && (holds(text.substr(hint), "'pbotvm_") || holds(text.substr(hint), "'PBOTVM_"));
  return std::string(ours ? text.substr(0, hint) : text);
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

class Messages {
 public:
  Messages(std::string_view text, const DiagnosticsContext& context) : lines_(lines_of(text)), context_(context) {}

  std::string run() {
    for (at_ = 0; at_ < lines_.size() && !full_; ++at_) read(lines_[at_]);
    if (messages_.empty() && !linker_end_.empty()) messages_.push_back(linker_end_);
    std::string text;
    for (const std::string& message : messages_) text += (text.empty() ? "" : "\n") + message;
    return text;
  }

 private:
  void read(std::string_view line) {
    if (is_noise(line)) return;
    if (begins(line, "collect2: ") || begins(line, "clang: error: linker") || begins(line, "clang++: error: linker")) {
      linker_end_ = line;
      return;
    }
    line = without_paths(line);
    const Placed placed = read_place(line);
    if (!placed.place.empty()) {
      quotes_ = read_placed(placed) && context_.carets;
    } else if (quotes_ || !is_quotation(line)) {
      add({}, line);
    }
  }

  // The line that a message is about, and where in it.
  static bool is_quotation(std::string_view line) { return begins(line, " ") || holds(line.substr(0, 12), " | "); }

  // Whether it is shown.
  bool read_placed(const Placed& placed) {
    const bool own = placed.file == context_.file;
    if (is_way(placed.rest)) {
      if (own && !begins(placed.rest, "note: ")) way_ = placed.place;
      return false;
    }
    if (is_message(placed.rest)) {
      read_message(placed, own);
      return shows_ && own;
    }
    const bool note = begins(placed.rest, "note: ");
    const bool points =
        context_.one_line && (placed.rest == "note: declared here" || ends(placed.rest, " defined here"));
    if (!own || points || (note && (!shows_ || notes_++ >= most_notes))) return false;
    add(placed.place, placed.rest);
    return true;
  }

  void read_message(const Placed& placed, bool own) {
    notes_ = 0;
    shows_ = !about_binary(placed);
    const std::string_view place = own ? placed.place : place_of_cause();
    way_ = {};
    if (!shows_) return;
    std::string text(placed.rest);
    if (!own) drop_others_code(text);
    // -Wfatal-errors makes every mistake a fatal one for clang.
    const bool fatal = ends(text, "file not found") || ends(text, "No such file or directory");
    if (begins(text, "fatal error: ") && !fatal) text.erase(0, std::string_view("fatal ").size());
    add(place, text);
  }

  // "no match for 'operator-' in '__last - __first' (...)"
  static void drop_others_code(std::string& text) {
    const std::size_t at = text.find(" in '__");
    const std::size_t end = at == std::string::npos ? at : text.find('\'', at + std::string_view(" in '").size());
    if (end != std::string::npos) text.erase(at, end + 1 - at);
  }

  // gcc 12 and clang 14 have not heard of %b, and take what is to be printed so for one argument too many.
  bool about_binary(const Placed& placed) {
    if (!context_.knows_binary) return false;
    const std::string_view text = placed.rest;
    const bool format = ends(text, "[-Wformat=]") || ends(text, "[-Wformat-invalid-specifier]");
    if (format && (holds(text, "type character 'b' in format") || holds(text, "conversion specifier 'b'") ||
                   (holds(text, "does not support the '%") && holds(text, "b' gnu_printf format")))) {
      binary_ = true;
      return true;
    }
    return binary_ && (holds(text, "[-Wformat-extra-args]") || holds(text, "[-Wformat-insufficient-args]"));
  }

  // Of a message about somebody else's file: where the author's code led there. gcc says it before, clang behind.
  std::string_view place_of_cause() const {
    if (!way_.empty()) return way_;
    const std::size_t end = std::min(lines_.size(), at_ + 1 + most_lines_ahead);
    for (std::size_t at = at_ + 1; at < end; ++at) {
      const Placed placed = read_place(lines_[at]);
      if (placed.place.empty()) continue;
      if (is_message(placed.rest)) break;
      if (placed.file == context_.file) return placed.place;
    }
    return {};
  }

  // Once each, up to the bounds.
  void add(std::string_view place, std::string_view rest) {
    std::string line = shortened(rest);
    if (!context_.one_line) line.insert(0, cut(place, longest_line));
    if (!seen_.insert(line).second) return;
    full_ = messages_.size() == most_messages || bytes_ + line.size() > most_text;
    bytes_ += line.size();
    messages_.push_back(full_ ? std::string(no_more) : std::move(line));
  }

  // The linker names its own path, and the source with the directory of the job.
  std::string_view without_paths(std::string_view line) const {
    constexpr std::string_view linker = "/usr/bin/ld: ";
    if (begins(line, linker)) line.remove_prefix(linker.size());
    if (begins(line, "(.text") && holds(line, "): ")) line.remove_prefix(line.find("): ") + 3);
    if (!begins(line, "/")) return line;
    const std::size_t space = line.find(' ');
    const std::size_t name = line.substr(0, space).rfind('/') + 1;
    return begins(line.substr(name), context_.file) ? line.substr(name) : line;
  }

  std::vector<std::string_view> lines_;
  DiagnosticsContext context_;
  std::size_t at_ = 0, notes_ = 0;
  bool shows_ = true;    // the last message; its notes then follow
  bool quotes_ = true;   // the line before those that quote the code
  bool binary_ = false;  // %b was spoken of
  std::string_view way_;
  std::string linker_end_;
  std::vector<std::string> messages_;
  std::unordered_set<std::string> seen_;
  std::size_t bytes_ = 0;  // of messages_
  bool full_ = false;
};

}  // namespace

std::string compiler_messages(std::string_view text, const DiagnosticsContext& context) {
  return Messages(text, context).run();
}

}  // namespace pbotvm::c

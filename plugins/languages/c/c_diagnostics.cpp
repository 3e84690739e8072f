// SPDX-License-Identifier: MIT
#include "c_diagnostics.h"

#include <algorithm>
#include <unordered_set>
#include <utility>
#include <vector>

#include "compiler_lines.h"
#include "source_emitter.h"

namespace pbotvm::c {

namespace {

constexpr std::size_t most_notes = 2;           // for one error or warning
constexpr std::size_t most_messages = 200;      // of a compiler
constexpr std::size_t most_text = 16 * 1024;    // bytes of them; a program can make a compiler print what it likes
constexpr std::size_t most_number = 1'000'000;  // a line's, a column's
constexpr std::size_t most_lines_ahead = 100;   // to look for the cause of a message
constexpr std::string_view ours_failed =
    "error: what is put around the code does not compile with these macros and options";
constexpr std::string_view no_more = "[there are more messages, which are not shown]";

class Messages {
 public:
  Messages(std::string_view text, const DiagnosticsContext& context)
      : lines_(lines_of(text)), context_(context), knows_ours_(names_ours(context.code)) {}

  std::string run() {
    for (at_ = 0; at_ < lines_.size() && !full_; ++at_) read(lines_[at_]);
    if (ours_failed_ && !failed_) messages_.emplace_back(ours_failed);
    if (messages_.empty() && !linker_end_.empty()) messages_.push_back(linker_end_);
    std::string text;
    for (const std::string& message : messages_) text += (text.empty() ? "" : "\n") + message;
    return text;
  }

 private:
  void read(std::string_view line) {
    if (is_noise(line)) return;
    if (line.starts_with("collect2: ") || line.starts_with("clang: error: linker") ||
        line.starts_with("clang++: error: linker")) {
      linker_end_ = line;
      return;
    }
    line = without_paths(line);
    const Placed placed = read_place(line);
    if (!placed.place.empty()) {
      read_placed(placed);
    } else if (!is_quotation(line)) {
      add({}, line);
    }
  }

  // The line that a message is about, and where in it: the compiler takes it from the code with all that was put around
  // it.
  bool is_quotation(std::string_view line) const {
    const bool marked = at_ + 1 < lines_.size() && is_mark(lines_[at_ + 1]);
    const bool correction = at_ > 0 && is_mark(lines_[at_ - 1]);
    return line.starts_with(" ") || holds(line.substr(0, 12), " | ") || is_mark(line) || marked || correction;
  }

  static bool names_ours(std::string_view text) { return holds(text, "pbotvm_") || holds(text, "PBOTVM_"); }

  void read_placed(const Placed& placed) {
    const bool own = placed.file == context_.file;
    if (is_way(placed.rest)) {
      if (own && !placed.rest.starts_with("note: ")) way_ = placed.place;
      return;
    }
    if (is_message(placed.rest)) {
      read_message(placed, own);
      return;
    }
    const bool note = placed.rest.starts_with("note: ");
    const bool points =
        context_.one_line && (placed.rest == "note: declared here" || placed.rest.ends_with(" defined here"));
    if (!own && holds(placed.rest, "undefined reference")) {
      if (!is_ours(placed.file)) return add({}, placed.rest);
      ours_failed_ = true;
    }
    if (!own || points || (note && (!shows_ || notes_++ >= most_notes))) return;
    add(placed.place, placed.rest);
  }

  void read_message(const Placed& placed, bool own) {
    notes_ = 0;
    shows_ = !about_binary(placed) && !(is_ours(placed.file) && placed.rest.starts_with("warning: "));
    const std::string_view place = own ? placed.place : place_of_cause();
    way_ = {};
    if (shows_ && !knows_ours_ && place.empty() && is_about_ours(placed)) {
      ours_failed_ = true;
      shows_ = false;
    }
    if (!shows_) return;
    std::string text(placed.rest);
    if (!own) drop_others_code(text);
    // -Wfatal-errors makes every mistake a fatal one for clang.
    const bool fatal = text.ends_with("file not found") || text.ends_with("No such file or directory");
    if (text.starts_with("fatal error: ") && !fatal) text.erase(0, std::string_view("fatal ").size());
    drop_same_warning(text);
    add(place, end_of_input(text));
  }

  // An error that no line of the author's leads to. What he did not close, or closed too often, only shows behind his
  // code; and he may have forbidden a name.
  static bool is_about_ours(const Placed& placed) {
    if (!is_ours(placed.file)) return false;
    if (placed.file != around_name || holds(placed.rest, "[-Werror")) return true;
    for (const std::string_view his : {"expected", "extraneous", "unterminated", "poisoned", "stray "})
      if (holds(placed.rest, his)) return false;
    return true;
  }

  // gcc warns of a quote without an end, and then takes it for an error.
  void drop_same_warning(std::string_view text) {
    constexpr std::string_view error = "error: ";
    if (!text.starts_with(error) || messages_.empty()) return;
    if (messages_.back().ends_with("warning: " + std::string(text.substr(error.size())))) messages_.pop_back();
  }

  // Behind the code stands a return that is not the author's.
  std::string end_of_input(const std::string& text) const {
    constexpr std::string_view before = " before 'return'";
    if (!text.ends_with(before) || context_.code.empty() || holds(context_.code, "return")) return text;
    return text.substr(0, text.size() - before.size()) + " at end of input";
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
    const bool format = text.ends_with("[-Wformat=]") || text.ends_with("[-Wformat-invalid-specifier]");
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
    const bool error =
        rest.starts_with("error: ") || rest.starts_with("fatal error: ") || holds(rest, "undefined reference");
    std::string line = shortened(rest);
    if (!knows_ours_ && names_ours(line)) {
      ours_failed_ = ours_failed_ || error;
      return;
    }
    failed_ = failed_ || error;
    if (!context_.one_line) line.insert(0, cut(place, longest_line));
    if (!seen_.insert(line).second) return;
    if (context_.carets) line += quoted(place);
    full_ = messages_.size() == most_messages || bytes_ + line.size() > most_text;
    bytes_ += line.size();
    messages_.push_back(full_ ? std::string(no_more) : std::move(line));
  }

  // The line of a place, and a mark under its column where that is certain: compilers count blanks and bytes in more
  // than one way.
  std::string quoted(std::string_view place) const {
    if (place.empty()) return {};
    std::size_t at = place.find(':') + 1;
    const std::size_t line = read_number(place, at);
    const std::size_t column = at < place.size() && place[at] == ':' ? read_number(place, ++at) : 0;
    if (line == 0 || line > code_lines_.size()) return {};
    const std::string_view whole = code_lines_[line - 1];
    const std::string number = std::to_string(line);
    const std::string indent(number.size() < 5 ? 5 - number.size() : 0, ' ');
    std::string text = '\n' + indent + number + " | " + std::string(cut(whole, longest_line));
    const std::string_view before = whole.substr(0, column > 0 ? column - 1 : 0);
    const bool plain = std::all_of(before.begin(), before.end(), [](char c) { return c >= ' ' && c < 0x7f; });
    if (column == 0 || column > whole.size() + 1 || column > longest_line || !plain) return text;
    return text + '\n' + std::string(indent.size() + number.size(), ' ') + " | " + std::string(column - 1, ' ') + '^';
  }

  static std::size_t read_number(std::string_view text, std::size_t& at) {
    std::size_t number = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9' && number < most_number; ++at)
      number = number * 10 + static_cast<std::size_t>(text[at] - '0');
    return number;
  }

  // The linker names its own path, and the source with the directory of the job.
  std::string_view without_paths(std::string_view line) const {
    constexpr std::string_view linker = "/usr/bin/ld: ";
    if (line.starts_with(linker)) line.remove_prefix(linker.size());
    for (const std::string_view program : {"cc1: ", "cc1plus: "})
      if (line.starts_with(program)) line.remove_prefix(program.size());
    for (const std::string_view section : {"(.text", "(.data", "(.rodata"}) {
      const std::size_t behind = holds(line, section) ? line.find("): ", line.find(section)) : std::string_view::npos;
      if (behind != std::string_view::npos) line.remove_prefix(behind + 3);
    }
    if (!line.starts_with("/")) return line;
    const std::size_t space = line.find(' ');
    const std::size_t name = line.substr(0, space).rfind('/') + 1;
    return line.substr(name).starts_with(context_.file) ? line.substr(name) : line;
  }

  std::vector<std::string_view> lines_;
  DiagnosticsContext context_;
  bool knows_ours_;  // the code itself speaks of what is put around it
  std::vector<std::string_view> code_lines_ = lines_of(context_.carets ? context_.code : std::string_view());
  std::size_t at_ = 0, notes_ = 0;
  bool shows_ = true;    // the last message; its notes then follow
  bool failed_ = false;  // an error was shown
  bool ours_failed_ = false;
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

// SPDX-License-Identifier: MIT
#include "sanitizer_messages.h"

#include <algorithm>
#include <optional>

#include "compiler_lines.h"

namespace pbotvm::c {

namespace {

using std::string_view;

constexpr auto npos = string_view::npos;

string_view between(string_view text, string_view before, string_view behind) {
  const std::size_t at = text.find(before);
  if (at == npos) return {};
  text.remove_prefix(at + before.size());
  return text.substr(0, text.find(behind));
}

// "4 byte(s)", "size 1" and the like.
std::string bytes_text(string_view number) {
  return std::string(number) + (number == "1" ? " byte" : " bytes");
}

// Behind "prog.c:3:5: " or "prog.c:3: ", or the same with directories; 0 when the line does not begin so.
std::size_t place_length(string_view line, string_view file) {
  const std::size_t name = line.substr(0, line.find(' ')).find(std::string(file) + ':');
  if (name == npos || (name > 0 && line[name - 1] != '/')) return 0;
  const std::size_t end = line.find_first_not_of("0123456789:", name + file.size());
  return end != npos && line[end] == ' ' && line[end - 1] == ':' ? end + 1 : 0;
}

// The report of the address or the leak sanitizer that is being read.
class Report {
 public:
  Report(string_view first_line, string_view file, bool one_line) : file_(file), one_line_(one_line) {
    leak_ = holds(first_line, "LeakSanitizer");
    kind_ = between(first_line, "Sanitizer: ", " on ");
    if (kind_.starts_with("attempting ")) kind_ = kind_.substr(11);
  }

  bool over() const { return over_; }

  void read(string_view line) {
    if (line.starts_with("SUMMARY: ")) {
      in_stack_ = nullptr;
      if (leak_) {
        leaked_ = between(line, "Sanitizer: ", " byte");
        over_ = true;
      }
    } else if (line.starts_with("==") && line.ends_with("==ABORTING")) {
      over_ = true;
    } else if (const std::size_t access = access_length(line); access > 0) {
      what_ = std::string(line.starts_with("READ") ? "read of " : "write of ") +
              bytes_text(line.substr(access, line.find(' ', access) - access));
    } else if (line.starts_with("freed by ")) {
      in_stack_ = &freed_;
    } else if (line.starts_with("previously allocated by ") || line.starts_with("allocated by ") || leak_starts(line)) {
      in_stack_ = &allocated_;
    } else if (line.starts_with("    #")) {
      read_frame(line);
    } else {
      read_region(line);
    }
  }

  std::string text() const {
    if (leak_) return "LeakSanitizer: " + bytes_text(leaked_) + " leaked" + place(", allocated", allocated_);
    std::string text = "AddressSanitizer: " + kind_;
    if (!what_.empty()) text += ": " + what_;
    text += place("", access_);
    if (!region_.empty()) text += ", " + region_;
    return text + place(", freed", freed_) + place(", allocated", allocated_);
  }

 private:
  struct Place {
    std::string function, line;
  };

  static std::size_t access_length(string_view line) {
    for (const string_view head : {"READ of size ", "WRITE of size "})
      if (line.starts_with(head)) return head.size();
    return 0;
  }
  static bool leak_starts(string_view line) { return holds(line, " leak of ") && line.ends_with("allocated from:"); }

  // "    #1 0x55dfa5a8a275 in main /home/vm/prog.c:3": the first one of the author's counts.
  void read_frame(string_view line) {
    if (!in_stack_ || in_stack_->has_value()) return;
    const std::size_t in = line.find(" in ");
    const std::size_t name = line.rfind(std::string(file_) + ':');
    if (in == npos || name == npos || name < in + 4 || (line[name - 1] != '/' && line[name - 1] != ' ')) return;
    string_view function = line.substr(in + 4, line.rfind(' ', name) - in - 4);
    const string_view number = line.substr(name + file_.size() + 1);
    *in_stack_ = Place{std::string(function), std::string(number.substr(0, number.find(':')))};
  }

  void read_region(string_view line) {
    if (holds(line, " is located in stack of ")) {
      in_stack_ = nullptr;
    } else if (const string_view where = between(line, " is located ", " ["); !where.empty()) {
      region_ = where.substr(0, where.find(" defined in "));
      if (const std::size_t size = region_.find(" of "); size != npos && holds(region_, "-byte region"))
        region_.insert(size + 4, "a ");
      if (holds(line, " bytes ") && region_.starts_with("1 bytes")) region_.erase(6, 1);
    } else if (holds(line, " <== Memory access ") && !holds(line, "'pbotvm_")) {  // not beside a variable of ours
      region_ = (holds(line, "underflows") ? "before variable '" : "beyond variable '") +
                std::string(between(line, "'", "'")) + "'";
    }
  }

  std::string place(string_view what, const std::optional<Place>& place) const {
    if (!place) return {};
    return std::string(what) + " in " + place->function + (one_line_ ? "" : " at line " + place->line);
  }

  string_view file_;
  const bool one_line_;
  bool leak_ = false, over_ = false;
  std::string kind_, what_, region_, leaked_;
  std::optional<Place> access_, freed_, allocated_;
  std::optional<Place>* in_stack_ = &access_;
};

class Shortener {
 public:
  Shortener(string_view file, bool one_line) : file_(file), one_line_(one_line) {}

  void read(string_view line) {
    if (report_) {
      report_->read(line);
      if (report_->over()) end_report();
    } else if (line.starts_with("==") &&
               (holds(line, "==ERROR: AddressSanitizer: ") || holds(line, "==ERROR: LeakSanitizer: "))) {
      report_.emplace(line, file_, one_line_);
    } else if (dump_left_ > 0) {
      --dump_left_;
    } else if (line.starts_with("0x") && line.ends_with(": note: pointer points here")) {
      dump_left_ = 2;  // bytes, and a mark below them
    } else if (!is_rule(line)) {
      add(line);
    }
  }

  std::string take() {
    if (report_) end_report();
    return std::move(text_);
  }

 private:
  // The line of equals signs above a report.
  static bool is_rule(string_view line) { return line.size() == 65 && line.find_first_not_of('=') == npos; }

  void add(string_view line) {
    // What assert() prints begins with the program's name.
    const std::size_t program = line.starts_with("prog: ") && holds(line, "Assertion `") ? 6 : 0;
    const std::size_t place = place_length(line.substr(program), file_);
    const bool message = program > 0 || line.substr(place).starts_with("runtime error: ");
    if (message && one_line_) {
      line.remove_prefix(program + place);
    } else if (message && place > 0) {
      const std::size_t name = line.find(std::string(file_) + ':');
      line.remove_prefix(name);
    }
    text_.append(line).append(1, '\n');
  }

  void end_report() {
    text_ += report_->text() + '\n';
    report_.reset();
  }

  string_view file_;
  const bool one_line_;
  std::string text_;
  std::optional<Report> report_;
  int dump_left_ = 0;  // lines
};

}  // namespace

std::string sanitizer_messages(string_view text, string_view file, bool one_line) {
  Shortener shortener(file, one_line);
  for (const string_view line : lines_of(text)) shortener.read(line);
  std::string messages = shortener.take();
  if (!text.ends_with('\n') && !messages.empty()) messages.pop_back();
  return messages;
}

}  // namespace pbotvm::c

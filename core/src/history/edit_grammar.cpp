// SPDX-License-Identifier: MIT
#include "history/edit_grammar.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <utility>

namespace pbotvm::history {

namespace {

constexpr std::string_view blanks = " \t\r\n";
constexpr std::size_t shown_bytes = 60;

// Characters that may stand around the parts of s///. Those that would make an ordinary expression or statement of
// it, such as `s*a*b*i`, `s=a=b=` and `s;a;b;`, are none.
constexpr std::string_view delimiters = "/|#,!~@:%";

constexpr std::array<std::pair<std::string_view, std::uint32_t>, 11> ordinals = {{{"first", 1},
                                                                                  {"second", 2},
                                                                                  {"third", 3},
                                                                                  {"fourth", 4},
                                                                                  {"fifth", 5},
                                                                                  {"sixth", 6},
                                                                                  {"seventh", 7},
                                                                                  {"eighth", 8},
                                                                                  {"ninth", 9},
                                                                                  {"nineth", 9},  // as PBot spells it
                                                                                  {"tenth", 10}}};

struct Undo {
  std::uint32_t times;
};
struct Copy {
  std::string channel;
};
struct End {
  Ending ending;
  std::optional<std::string> channel;
};
using Clause = std::variant<Undo, Copy, End, Replace, Prepend, Append, Substitute>;

// Thrown while reading. `certain`: it cannot have been meant as code.
struct Wrong {
  std::string text;
  bool certain;
};

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return std::tolower(c); });
  return result;
}

bool is_quote(char c) {
  return c == '\'' || c == '"';
}

std::string usage_of(const std::string& verb) {
  if (verb == "replace") return "write replace [first|second|...|tenth|last|all] 'text' with 'other text'";
  if (verb == "remove") return "write remove [first|second|...|tenth|last|all] 'text'";
  return "write " + verb + " 'text'";
}

class Reader {
 public:
  Reader(std::string_view text, const EditReading& reading) : text_(text), reading_(reading) {}

  std::vector<Clause> read() {
    std::vector<Clause> clauses;
    skip();
    if (at_end()) throw Wrong{{}, false};
    for (;;) {
      if (clauses.size() > max_changes + 2) {
        throw Wrong{"More than " + std::to_string(max_changes) + " edits at once; send them in several requests.",
                    true};
      }
      clauses.push_back(clause());
      const auto before = at_;
      skip();
      if (at_end()) return clauses;
      if (at_ == before) fail_unseparated();
      take_and();
    }
  }

 private:
  bool at_end() const { return at_ == text_.size(); }
  std::string_view rest() const { return text_.substr(at_); }
  void skip() { at_ = std::min(text_.find_first_not_of(blanks, at_), text_.size()); }
  bool at_quote() const { return !at_end() && is_quote(text_[at_]); }

  // What follows up to a blank or the end.
  std::string_view peek_word() const {
    const auto end = std::min(text_.find_first_of(blanks, at_), text_.size());
    return text_.substr(at_, end - at_);
  }

  // Letters, in small ones.
  std::string peek_letters() const {
    auto end = at_;
    while (end < text_.size() && std::isalpha(static_cast<unsigned char>(text_[end]))) ++end;
    return lower(text_.substr(at_, end - at_));
  }

  [[noreturn]] void fail_unseparated() const {
    const char last = text_[at_ - 1];
    const std::string hint = is_quote(last) ? std::string("; write \\") + last + " for a quote within" : std::string();
    throw Wrong{"Expected a blank or the end instead of " + quoted(rest()) + hint + ".", certain_};
  }

  void take_and() {
    if (lower(peek_word()) != "and") return;
    at_ += 3;
    skip();
    // `replace 'a' with 'b' and 'c' with 'd'`
    repeats_ = at_quote();
    if (at_end()) throw Wrong{"Something must follow 'and'.", certain_};
  }

  Clause clause() {
    if (std::exchange(repeats_, false) && !last_verb_.empty()) return quoting(last_verb_);
    if (auto substitute = substitution()) return std::move(*substitute);
    const std::string verb = peek_letters();
    const auto after = at_ + verb.size();
    if (verb == "replace" || verb == "remove" || verb == "prepend" || verb == "append") {
      at_ = after;
      return quoting(verb);
    }
    if (peek_word().size() != verb.size()) unknown();
    at_ = after;
    if (verb == "run" || verb == "again") return End{Ending::run, {}};
    if (verb == "paste") return End{Ending::paste, {}};
    if (verb == "show") return End{Ending::show, channel_to_the_end()};
    if (verb == "diff") return End{Ending::diff, channel_to_the_end()};
    if (verb == "undo") return Undo{number()};
    if (verb == "copy") return copy();
    at_ = after - verb.size();
    unknown();
  }

  [[noreturn]] void unknown() const {
    throw Wrong{"Expected an edit instead of " + quoted(rest()) +
                    ": show, run, undo, diff, copy, replace, remove, prepend, append or s/regex/text/.",
                certain_};
  }

  std::optional<std::string> channel_to_the_end() {
    const auto before = at_;
    skip();
    const auto word = peek_word();
    at_ += word.size();
    skip();
    if (!word.empty() && at_end()) return std::string(word);
    at_ = before;
    return {};
  }

  Copy copy() {
    skip();
    const auto word = peek_word();
    if (word.empty()) throw Wrong{{}, false};
    at_ += word.size();
    return {std::string(word)};
  }

  std::uint32_t number() {
    const auto before = at_;
    skip();
    const auto word = peek_word();
    const bool digits =
        !word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) {
      at_ = before;
      return 1;
    }
    at_ += word.size();
    const auto value = word.size() > 5 ? max_undo + 1 : static_cast<std::uint32_t>(std::stoul(std::string(word)));
    if (value == 0 || value > max_undo) {
      throw Wrong{"undo takes a number from 1 to " + std::to_string(max_undo) + ".", true};
    }
    return value;
  }

  // replace, remove, prepend, append, behind the verb. Certain once a quote stands where it should.
  Clause quoting(const std::string& verb) {
    const bool counts = verb == "replace" || verb == "remove";
    skip();
    Which which;
    if (!at_quote()) {
      const std::string position = peek_letters();
      at_ += position.size();
      skip();
      if (!counts || position.empty() || !at_quote()) throw Wrong{{}, certain_};
      certain_ = true;
      which = which_of(position, verb);
    }
    certain_ = true;
    last_verb_ = verb;
    std::string text = quotation(verb);
    if (verb == "prepend") return Prepend{std::move(text)};
    if (verb == "append") return Append{std::move(text)};
    if (text.empty()) throw Wrong{"There is nothing between the quotes; " + usage_of(verb) + ".", true};
    if (verb == "remove") return Replace{which, std::move(text), {}};
    skip();
    if (peek_letters() != "with") fail_behind(text, verb);
    at_ += 4;
    skip();
    if (!at_quote()) throw Wrong{"Expected a text in quotes behind 'with'; " + usage_of(verb) + ".", true};
    return Replace{which, std::move(text), quotation(verb)};
  }

  [[noreturn]] void fail_behind(const std::string& text, const std::string& verb) const {
    throw Wrong{"Expected 'with' behind " + quoted(text) +
                    (at_end() ? std::string() : " instead of " + quoted(rest())) + "; " + usage_of(verb) +
                    ", and \\' for a quote within.",
                true};
  }

  static Which which_of(const std::string& position, const std::string& verb) {
    if (position == "all") return {Which::Kind::all, 1};
    if (position == "last") return {Which::Kind::last, 1};
    for (const auto& [name, nth] : ordinals) {
      if (position == name) return {Which::Kind::nth, nth};
    }
    throw Wrong{"Unknown position " + quoted(position) + "; " + usage_of(verb) + ".", true};
  }

  // Everything stands as it is but the quote itself, before which a backslash goes.
  std::string quotation(const std::string& verb) {
    const char quote = text_[at_++];
    std::string text;
    for (; !at_end() && text_[at_] != quote; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size() && text_[++at_] != quote) text += '\\';
      text += text_[at_];
    }
    if (at_end()) {
      throw Wrong{std::string("The quote ") + quote + " is not closed; " + usage_of(verb) + ", and \\" + quote +
                      " for a quote within.",
                  true};
    }
    ++at_;
    return text;
  }

  std::optional<Clause> substitution() {
    if (!reading_.substitutions || rest().size() < 2 || text_[at_] != 's') return {};
    const char delimiter = text_[at_ + 1];
    if (delimiters.find(delimiter) == std::string_view::npos) return {};
    const auto begin = at_;
    at_ += 2;
    Substitute substitute;
    // A bar means something in a regular expression, and one behind a backslash does not.
    const bool closed = part(delimiter, delimiter == '|', substitute.regex) && part(delimiter, false, substitute.text);
    if (!closed) {
      at_ = begin;
      throw Wrong{
          "The substitution is not closed; write s/regex/text/, s/regex/text/g for all, or s/regex/text/gi to "
          "ignore case.",
          certain_ || (reading_.guess && delimiter == '/' && looks_half_done(text_.substr(begin)))};
    }
    const auto flags = peek_letters();
    const auto behind = at_ + flags.size();
    if (behind < text_.size() && blanks.find(text_[behind]) == std::string_view::npos) {
      at_ = begin;
      throw Wrong{"Expected a blank or the end behind the substitution; write \\" + std::string(1, delimiter) +
                      " for a delimiter within.",
                  certain_ || (reading_.guess && delimiter == '/' && has_odd_brace(text_.substr(begin)))};
    }
    for (const char c : flags) {
      if (c != 'g' && c != 'i') {
        throw Wrong{"Unknown letter " + quoted(flags) +
                        " behind the substitution; only g (all of them) and i (ignore "
                        "case) may stand there.",
                    certain_ || (reading_.guess && delimiter == '/' && behind == text_.size() && flags.size() < 4)};
      }
      (c == 'g' ? substitute.all : substitute.ignore_case) = true;
    }
    at_ = behind;
    last_verb_.clear();
    if (substitute.regex.empty()) {
      throw Wrong{"The regular expression of the substitution is empty; write s/regex/text/.", true};
    }
    return substitute;
  }

  // Up to the delimiter; false where there is none.
  bool part(char delimiter, bool keeps_escape, std::string& into) {
    for (; !at_end() && text_[at_] != delimiter; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size() && (text_[++at_] != delimiter || keeps_escape)) into += '\\';
      into += text_[at_];
    }
    if (at_end()) return false;
    ++at_;
    return true;
  }

  // `s/old/new`, as one forgets the last delimiter: two of them, nothing of a statement or of a second line.
  static bool looks_half_done(std::string_view text) {
    return std::count(text.begin(), text.end(), '/') == 2 && text.find('\n') == std::string_view::npos &&
           (text.find_first_of(";{}") == std::string_view::npos || has_odd_brace(text));
  }

  // `s/}/; }`: no program has one brace without the other, but people mend just that.
  static bool has_odd_brace(std::string_view text) {
    return std::count(text.begin(), text.end(), '{') != std::count(text.begin(), text.end(), '}');
  }

  std::string_view text_;
  const EditReading& reading_;
  std::size_t at_ = 0;
  std::string last_verb_;
  bool repeats_ = false;
  bool certain_ = false;
};

// The clauses in an order that makes sense.
class Arranger {
 public:
  Edits arrange(std::vector<Clause> clauses) {
    for (auto& clause : clauses) {
      if (ended_) throw Wrong{"show, diff, run, again and paste stand last: nothing can follow them.", true};
      std::visit([this](auto& one) { take(std::move(one)); }, clause);
    }
    if (!ended_ && edits_.changes.empty()) edits_.ending = Ending::show;
    if (edits_.of_channel && clauses.size() > 1) {
      throw Wrong{"show and diff of another channel stand alone; copy its code first: copy CHANNEL and ...", true};
    }
    return std::move(edits_);
  }

 private:
  void take(Undo undo) {
    if (edits_.copy_from || !edits_.changes.empty()) throw Wrong{"undo stands first, before other edits.", true};
    edits_.undo = std::min(edits_.undo + undo.times, max_undo);
  }
  void take(Copy copy) {
    if (edits_.copy_from || edits_.undo > 0 || !edits_.changes.empty()) {
      throw Wrong{"copy stands first, before other edits.", true};
    }
    edits_.copy_from = std::move(copy.channel);
  }
  void take(End end) {
    ended_ = true;
    edits_.ending = end.ending;
    edits_.of_channel = std::move(end.channel);
  }
  template <typename One>
  void take(One change) {
    if (edits_.changes.size() == max_changes) {
      throw Wrong{"More than " + std::to_string(max_changes) + " edits at once; send them in several requests.", true};
    }
    edits_.changes.emplace_back(std::move(change));
  }

  Edits edits_;
  bool ended_ = false;
};

}  // namespace

std::variant<Edits, NotAnEdit, EditMistake> parse_edits(std::string_view text, const EditReading& reading) {
  try {
    return Arranger().arrange(Reader(text, reading).read());
  } catch (const Wrong& wrong) {
    if (!wrong.certain) return NotAnEdit{};
    return EditMistake{wrong.text};
  }
}

std::string quoted(std::string_view text) {
  auto shown = text.substr(0, shown_bytes);
  // No half of a character.
  while (shown.size() < text.size() && !shown.empty() &&
         (static_cast<unsigned char>(text[shown.size()]) & 0xc0) == 0x80) {
    shown.remove_suffix(1);
  }
  std::string result = "'";
  for (const char c : shown) {
    const auto byte = static_cast<unsigned char>(c);
    char escaped[5];
    if (c == '\n') {
      result += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      std::snprintf(escaped, sizeof escaped, "\\x%02x", byte);
      result += escaped;
    } else {
      result += c;
    }
  }
  return result + (shown.size() < text.size() ? "...'" : "'");
}

}  // namespace pbotvm::history

// SPDX-License-Identifier: MIT
#include "history/substitution.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

#include "history/editing.h"

namespace pbotvm::history {

namespace {

constexpr std::size_t max_groups = 9;                        // that the text can name
constexpr std::size_t max_regex = 4096;                      // bytes
constexpr std::int64_t regex_memory = 1 << 20;               // bytes of a compiled regular expression and its states
constexpr std::uint64_t max_steps = std::uint64_t(1) << 27;  // instructions times bytes that one search may take
constexpr std::chrono::seconds patience{1};                  // processor time for all searches of one substitution

using Groups = std::array<re2::StringPiece, max_groups + 1>;

// Whose match or group stands at `at` in the text of a substitution: -1 where it is ordinary text.
int group_at(std::string_view text, std::size_t at, int groups) {
  if (at + 1 >= text.size() || (text[at] != '$' && text[at] != '\\')) return -1;
  const char next = text[at + 1];
  if (next == '&' && text[at] == '$') return 0;
  // Code has a $1 of its own: only groups that there are count.
  return next >= '1' && next <= '9' && next - '0' <= groups ? next - '0' : -1;
}

void add(std::string& result, std::string_view piece) {
  check_size(result.size() + piece.size());
  result += piece;
}

void add_text(std::string& result, std::string_view text, const Groups& found, int groups) {
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const int group = group_at(text, at, groups);
    if (group < 0) continue;
    add(result, text.substr(done, at - done));
    const auto& piece = found[static_cast<std::size_t>(group)];
    add(result, {piece.data(), piece.size()});
    done = ++at + 1;
  }
  add(result, text.substr(std::min(done, text.size())));
}

int highest_group(std::string_view text, int groups) {
  int highest = 0;
  for (std::size_t at = 0; at < text.size(); ++at) highest = std::max(highest, group_at(text, at, groups));
  return highest;
}

std::size_t character_size(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
  return end - at;
}

[[noreturn]] void fail_for(const std::string& regex, const re2::RE2& compiled) {
  std::string text = "The regular expression " + quoted(regex) + " cannot be used: " + compiled.error();
  const auto& part = compiled.error_arg();
  const auto at = part.empty() ? std::string::npos : regex.find(part);
  if (at != std::string::npos && part != regex) {
    const auto bytes_of_others = std::count_if(regex.begin(), regex.begin() + static_cast<std::ptrdiff_t>(at),
                                               [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; });
    text += ", at character " + std::to_string(at + 1 - static_cast<std::size_t>(bytes_of_others));
  }
  const auto code = compiled.error_code();
  if (code == re2::RE2::ErrorBadEscape || code == re2::RE2::ErrorRepeatArgument || code == re2::RE2::ErrorBadPerlOp) {
    text += " (look-ahead and back-references are not available)";
  }
  throw EditError(text + ".");
}

void check_cost(std::string_view code, const Substitute& substitute, const re2::RE2& regex) {
  const auto program = static_cast<std::uint64_t>(std::max(regex.ProgramSize(), regex.ReverseProgramSize()));
  if (program * (code.size() + 1) <= max_steps) return;
  throw EditError("The regular expression " + quoted(substitute.regex) +
                  " is too large for code of this size; make it shorter, with smaller repetitions.");
}

}  // namespace

std::string substituted(std::string_view code, const Substitute& substitute, Patience::Time until) {
  if (substitute.regex.size() > max_regex) {
    throw EditError("The regular expression is longer than " + std::to_string(max_regex) + " bytes; make it shorter.");
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(regex_memory);
  options.set_case_sensitive(!substitute.ignore_case);
  const re2::RE2 regex(substitute.regex, options);
  if (!regex.ok()) fail_for(substitute.regex, regex);
  check_cost(code, substitute, regex);

  const int groups = std::min<int>(regex.NumberOfCapturingGroups(), max_groups);
  const int wanted = highest_group(substitute.text, groups) + 1;
  Patience searches(patience, until);
  const re2::StringPiece whole(code.data(), code.size());
  std::string result;
  std::size_t done = 0, from = 0, times = 0;
  Groups found;
  while (from <= code.size() && regex.Match(whole, from, whole.size(), re2::RE2::UNANCHORED, found.data(), wanted)) {
    const auto at = static_cast<std::size_t>(found[0].data() - code.data());
    const auto size = found[0].size();
    // Nothing is found anew where something has just been found to end: s/b*/x/g makes one x of bb.
    if (size > 0 || at != done || times == 0) {
      add(result, code.substr(done, at - done));
      add_text(result, substitute.text, found, groups);
      done = at + size;
      ++times;
      if (!substitute.all) break;
    }
    from = size > 0 ? at + size : at < code.size() ? at + character_size(code, at) : code.size() + 1;
    if (searches.spent()) {
      throw EditError("The substitution " + quoted(substitute.regex) +
                      " takes too long on this code; make it simpler.");
    }
  }
  if (times == 0)
    throw EditError("The regular expression " + quoted(substitute.regex) + " matches nothing in the code.");
  add(result, code.substr(done));
  return result;
}

}  // namespace pbotvm::history

// SPDX-License-Identifier: MIT
#include "history/editing.h"

#include <re2/re2.h>

#include <array>
#include <cctype>
#include <type_traits>
#include <vector>

#include "history/substitution.h"

namespace pbotvm::history {

namespace {

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

// Whether a whole character is one of which words are made.
bool is_word_character(std::string_view character) {
  const auto byte = static_cast<unsigned char>(character.front());
  if (byte < 0x80) return std::isalnum(byte) != 0 || byte == '_';
  static const re2::RE2 letter("[\\pL\\pM\\pN]");
  return re2::RE2::FullMatch(re2::StringPiece(character.data(), character.size()), letter);
}

std::string_view first_character(std::string_view text) {
  std::size_t end = 1;
  while (end < text.size() && continues_character(text[end])) ++end;
  return text.substr(0, end);
}

std::string_view last_character(std::string_view text) {
  std::size_t begin = text.size() - 1;
  while (begin > 0 && continues_character(text[begin])) --begin;
  return text.substr(begin);
}

// Whether `size` bytes at `at` begin or end in the middle of a word: `i` is not found in `int`.
bool cuts_a_word(std::string_view code, std::size_t at, std::size_t size) {
  const auto found = code.substr(at, size);
  const auto before = code.substr(0, at), behind = code.substr(at + size);
  if (!before.empty() && is_word_character(first_character(found)) && is_word_character(last_character(before))) {
    return true;
  }
  return !behind.empty() && is_word_character(last_character(found)) && is_word_character(first_character(behind));
}

std::string counted(std::size_t times) {
  return times == 1 ? "once" : times == 2 ? "twice" : std::to_string(times) + " times";
}

// Where the text stands as words of its own. Throws where there is none.
std::vector<std::size_t> occurrences(std::string_view code, const std::string& text) {
  std::vector<std::size_t> places;
  bool in_words = false;
  for (std::size_t at = code.find(text); at != std::string_view::npos;) {
    const bool cuts = cuts_a_word(code, at, text.size());
    in_words = in_words || cuts;
    if (!cuts) places.push_back(at);
    at = code.find(text, at + (cuts ? 1 : text.size()));
  }
  if (!places.empty()) return places;
  if (in_words) {
    throw EditError(quoted(text) +
                    " stands in the code only as a part of longer words; name a whole word, or use s/regex/text/.");
  }
  throw EditError(quoted(text) + " is not in the code.");
}

std::string one(std::string_view code, const Replace& replace) {
  auto places = occurrences(code, replace.from);
  if (replace.which.kind == Which::Kind::last) {
    places = {places.back()};
  } else if (replace.which.kind == Which::Kind::nth) {
    if (places.size() < replace.which.nth) {
      throw EditError(quoted(replace.from) + " is in the code only " + counted(places.size()) + ".");
    }
    places = {places[replace.which.nth - 1]};
  }
  check_size(code.size() - places.size() * replace.from.size() + places.size() * replace.to.size());
  std::string result;
  std::size_t done = 0;
  for (const auto place : places) {
    result.append(code, done, place - done).append(replace.to);
    done = place + replace.from.size();
  }
  return result.append(code, done);
}

// A blank between, as in chat.
std::string one(std::string_view code, const Prepend& prepend) {
  check_size(code.size() + prepend.text.size() + 1);
  return (prepend.text + ' ').append(code);
}

std::string one(std::string_view code, const Append& append) {
  check_size(code.size() + append.text.size() + 1);
  return std::string(code).append(1, ' ').append(append.text);
}

}  // namespace

void check_size(std::size_t size) {
  if (size <= max_code) return;
  throw EditError("The code would be larger than " + std::to_string(max_code / 1024) +
                  " KiB after this edit; make less of it.");
}

std::string changed(std::string_view code, const Change& change, Patience::Time until) {
  return std::visit(
      [&](const auto& kind) {
        if constexpr (std::is_same_v<decltype(kind), const Substitute&>) {
          return substituted(code, kind, until);
        } else {
          return one(code, kind);
        }
      },
      change);
}

}  // namespace pbotvm::history

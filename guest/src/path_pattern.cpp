// SPDX-License-Identifier: MIT
#include "path_pattern.h"

#include <algorithm>
#include <optional>

#include "system.h"

namespace pbotvm::guest {
namespace {

constexpr std::string_view any_parts = "**";
constexpr std::uint32_t no_character = 0x110000;  // and above: a byte that is no UTF-8

struct Character {
  std::uint32_t value;
  std::size_t size;
};

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  static constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {no_character + lead, 1};
  std::uint32_t value = lead & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {no_character + lead, 1};
    value = value << 6 | (byte(i) & 0x3fu);
  }
  const bool surrogate = value >= 0xd800 && value < 0xe000;
  if (value < least[size] || value >= no_character || surrogate) return {no_character + lead, 1};
  return {value, size};
}

/// One element of a pattern that stands for exactly one character.
struct Element {
  std::size_t size;  // of the pattern
  bool matches;
};

// The set that begins at `pattern`, or nothing when it is not closed: then the bracket stands for itself.
std::optional<Element> match_set(std::string_view pattern, std::uint32_t character) {
  std::size_t at = 1;
  const bool inverted = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (inverted) ++at;
  bool found = false;
  for (bool first = true; at < pattern.size(); first = false) {
    if (pattern[at] == ']' && !first) return Element{at + 1, found != inverted};
    const Character low = first_character(pattern.substr(at));
    Character high = low;
    at += low.size;
    if (pattern.size() - at >= 2 && pattern[at] == '-' && pattern[at + 1] != ']') {
      high = first_character(pattern.substr(at + 1));
      at += 1 + high.size;
    }
    found = found || (character >= low.value && character <= high.value);
  }
  return std::nullopt;
}

Element match_one(std::string_view pattern, std::uint32_t character) {
  if (pattern.front() == '?') return {1, true};
  if (pattern.front() == '[') {
    if (const auto set = match_set(pattern, character)) return *set;
  }
  const Character own = first_character(pattern);
  return {own.size, own.value == character};
}

}  // namespace

// A star that did not lead to the end takes one character more; only the last star ever has to.
bool part_matches(std::string_view pattern, std::string_view name) {
  std::optional<std::string_view> behind_star;
  std::string_view retry;
  while (!name.empty()) {
    if (!pattern.empty() && pattern.front() == '*') {
      pattern.remove_prefix(1);
      behind_star = pattern;
      retry = name;
      continue;
    }
    const Character character = first_character(name);
    if (!pattern.empty()) {
      const Element element = match_one(pattern, character.value);
      if (element.matches) {
        pattern.remove_prefix(element.size);
        name.remove_prefix(character.size);
        continue;
      }
    }
    if (!behind_star) return false;
    retry.remove_prefix(first_character(retry).size);
    name = retry;
    pattern = *behind_star;
  }
  return pattern.find_first_not_of('*') == pattern.npos;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Character character = first_character(text);
    if (character.value >= no_character) return false;
    text.remove_prefix(character.size);
  }
  return true;
}

PathPatterns::PathPatterns(const std::vector<std::string>& patterns) {
  for (const auto& pattern : patterns) {
    auto& parts = parts_.emplace_back();
    for_each_part(pattern, '/', [&](std::string_view part) {
      if (part != any_parts || parts.empty() || parts.back() != any_parts) parts.emplace_back(part);
    });
  }
}

PathPatterns::Places PathPatterns::start() const {
  Places places;
  for (std::uint32_t pattern = 0; pattern < parts_.size(); ++pattern) add(places, pattern, 0);
  settle(places);
  return places;
}

PathPatterns::Places PathPatterns::step(const Places& from, std::string_view name) const {
  Places to;
  for (const auto& place : from.places_) {
    const auto& parts = parts_[place.pattern];
    if (place.part == parts.size()) continue;
    if (parts[place.part] == any_parts) {
      add(to, place.pattern, place.part);
    } else if (part_matches(parts[place.part], name)) {
      add(to, place.pattern, place.part + 1);
    }
  }
  settle(to);
  return to;
}

// `**` also stands for no part at all.
void PathPatterns::add(Places& to, std::uint32_t pattern, std::uint32_t part) const {
  const auto& parts = parts_[pattern];
  to.places_.push_back({pattern, part});
  if (part < parts.size() && parts[part] == any_parts) to.places_.push_back({pattern, part + 1});
}

void PathPatterns::settle(Places& places) const {
  auto& all = places.places_;
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  for (const auto& place : all) {
    const bool end = place.part == parts_[place.pattern].size();
    (end ? places.matched_ : places.open_) = true;
  }
}

}  // namespace pbotvm::guest

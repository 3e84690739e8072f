// SPDX-License-Identifier: MIT
#include "history/difference.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <vector>

namespace pbotvm::history {

namespace {

using Words = std::vector<std::string_view>;

constexpr std::size_t max_table = 1 << 20;  // cells of the table; beyond, the middle is one change
constexpr std::size_t kept_around = 24;     // bytes shown beside a change
constexpr std::size_t max_piece = 400;      // bytes shown of one change
constexpr std::size_t max_shown = 2000;     // bytes

enum class Kind { same, removed, added };
struct Piece {
  Kind kind;
  std::string text;
};

int kind_of(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x80 || std::isalnum(byte) || c == '_') return 0;
  return c == ' ' || c == '\t' ? 1 : 2;
}

// Words, runs of blanks, and every other character for itself.
Words words_of(std::string_view text) {
  Words words;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    const int kind = kind_of(text[at]);
    while (kind != 2 && end < text.size() && kind_of(text[end]) == kind) ++end;
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

void add(std::vector<Piece>& pieces, Kind kind, std::string_view text) {
  if (text.empty()) return;
  if (!pieces.empty() && pieces.back().kind == kind) {
    pieces.back().text += text;
  } else {
    pieces.push_back({kind, std::string(text)});
  }
}

void add_all(std::vector<Piece>& pieces, Kind kind, const Words& words, std::size_t from, std::size_t to) {
  for (; from < to; ++from) add(pieces, kind, words[from]);
}

// The longest common subsequence, by the table of the lengths of what is common to the ends.
void compare(std::vector<Piece>& pieces, const Words& older, const Words& newer, std::size_t begin,
             std::size_t older_end, std::size_t newer_end) {
  const std::size_t rows = older_end - begin, columns = newer_end - begin;
  if ((rows + 1) * (columns + 1) > max_table) {
    add_all(pieces, Kind::removed, older, begin, older_end);
    add_all(pieces, Kind::added, newer, begin, newer_end);
    return;
  }
  std::vector<std::uint32_t> table((rows + 1) * (columns + 1), 0);
  const auto cell = [&](std::size_t row, std::size_t column) -> std::uint32_t& {
    return table[row * (columns + 1) + column];
  };
  for (std::size_t row = rows; row-- > 0;) {
    for (std::size_t column = columns; column-- > 0;) {
      cell(row, column) = older[begin + row] == newer[begin + column]
                              ? cell(row + 1, column + 1) + 1
                              : std::max(cell(row + 1, column), cell(row, column + 1));
    }
  }
  std::size_t row = 0, column = 0;
  while (row < rows || column < columns) {
    if (row < rows && column < columns && older[begin + row] == newer[begin + column]) {
      add(pieces, Kind::same, older[begin + row++]);
      ++column;
    } else if (row < rows && (column == columns || cell(row + 1, column) >= cell(row, column + 1))) {
      add(pieces, Kind::removed, older[begin + row++]);
    } else {
      add(pieces, Kind::added, newer[begin + column++]);
    }
  }
}

// A blank between two changes is no place to rest one's eyes: `[-a b-]{+c d+}` rather than two pairs.
std::vector<Piece> joined(std::vector<Piece> pieces) {
  std::vector<Piece> result;
  std::string removed, added;
  const auto flush = [&] {
    if (!removed.empty()) result.push_back({Kind::removed, std::move(removed)});
    if (!added.empty()) result.push_back({Kind::added, std::move(added)});
    removed.clear();
    added.clear();
  };
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    auto& piece = pieces[i];
    const bool blank = piece.text.find_first_not_of(" \t") == std::string::npos;
    if (piece.kind == Kind::removed) {
      removed += piece.text;
    } else if (piece.kind == Kind::added) {
      added += piece.text;
    } else if (blank && !removed.empty() && !added.empty() && i + 1 < pieces.size()) {
      removed += piece.text;
      added += piece.text;
    } else {
      flush();
      result.push_back(std::move(piece));
    }
  }
  flush();
  return result;
}

bool inside_character(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
}

// The first and the last bytes of a text that is long, whole characters.
std::string shortened(std::string_view text, std::size_t head, std::size_t tail) {
  if (text.size() <= head + tail + 5) return std::string(text);
  while (inside_character(text, head)) --head;
  std::size_t from = text.size() - tail;
  while (inside_character(text, from)) ++from;
  return std::string(text.substr(0, head)) + (head == 0 ? "... " : " ... ") + std::string(text.substr(from));
}

std::string on_one_line(std::string_view text) {
  std::string line;
  for (const char c : text) line += c == '\n' ? std::string("\\n") : std::string(1, c);
  return line;
}

std::string written(const std::vector<Piece>& pieces) {
  std::string text;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto& piece = pieces[i];
    if (piece.kind == Kind::same) {
      text += on_one_line(shortened(piece.text, i == 0 ? 0 : kept_around, i + 1 == pieces.size() ? 0 : kept_around));
    } else {
      const bool removed = piece.kind == Kind::removed;
      text += (removed ? "[-" : "{+") + on_one_line(shortened(piece.text, max_piece / 2, max_piece / 2)) +
              (removed ? "-]" : "+}");
    }
    if (text.size() > max_shown) return text + " ...";
  }
  return text;
}

}  // namespace

std::string difference(std::string_view older, std::string_view newer) {
  if (older == newer) return {};
  const Words from = words_of(older), to = words_of(newer);
  std::size_t begin = 0;
  while (begin < from.size() && begin < to.size() && from[begin] == to[begin]) ++begin;
  std::size_t from_end = from.size(), to_end = to.size();
  while (from_end > begin && to_end > begin && from[from_end - 1] == to[to_end - 1]) --from_end, --to_end;

  std::vector<Piece> pieces;
  add_all(pieces, Kind::same, from, 0, begin);
  compare(pieces, from, to, begin, from_end, to_end);
  add_all(pieces, Kind::same, from, from_end, from.size());
  return written(joined(std::move(pieces)));
}

}  // namespace pbotvm::history

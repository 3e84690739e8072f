// SPDX-License-Identifier: MIT
#pragma once

// Single lines of what compilers and linkers print.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace pbotvm::c {

inline constexpr std::size_t longest_line = 500;  // bytes that are shown

inline bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// Views into the text, without the line ends.
std::vector<std::string_view> lines_of(std::string_view text);

/// A line cut behind its place: "prog.c:3:5: ", "/usr/include/c++/12/vector:9:1: ".
struct Placed {
  std::string_view file, place, rest;  ///< `place` includes the file; both are empty where the line has none
};

Placed read_place(std::string_view line);

/// "prog.c: In function 'main':", "1 error generated.", "In file included from ...".
bool is_noise(std::string_view line);

/// "  ^~~~", which clang puts under a line that it quotes.
bool is_mark(std::string_view line);

/// What was put around the code, or is included there.
bool is_ours(std::string_view file);

/// "error: ...", "warning: ...", "note: ..."
bool is_message(std::string_view rest);

/// How a compiler comes to a message: "required from here", "in instantiation of ...".
bool is_way(std::string_view rest);

/// At most so many bytes, and no part of a character.
std::string_view cut(std::string_view text, std::size_t most);

/// Names as people write them, no suffix that says nothing, a bounded length.
std::string shortened(std::string_view line);

}  // namespace pbotvm::c

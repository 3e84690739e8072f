// SPDX-License-Identifier: MIT
#include "gdb_frames.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <optional>

#include "gdb_values.h"

namespace pbotvm::c {

namespace {

constexpr std::size_t most_locals = 64;  // of one frame

template <typename Number>
std::optional<Number> number_at(std::string_view text, int base = 10) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

template <typename Function>
void each_line(std::string_view text, Function function) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    function(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

// Whether the word "operator" stands there, and not a name that holds it.
bool is_operator(std::string_view text, std::size_t at) {
  constexpr std::string_view word = "operator";
  const auto in_name = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$'; };
  if (text.substr(at, word.size()) != word || (at > 0 && in_name(text[at - 1]))) return false;
  return at + word.size() == text.size() || !in_name(text[at + word.size()]);
}

// Where the arguments' bracket opens: behind a blank that is not within a template's or a function type's brackets.
std::size_t find_arguments(std::string_view text) {
  int depth = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (is_operator(text, at)) {  // whose name may be made of brackets
      at += 8;
      while (at + 1 < text.size() && text[at + 1] != ' ' && text[at + 1] != '(') ++at;
      continue;
    }
    if (c == ' ' && depth == 0 && text.substr(at + 1, 1) == "(") return at + 1;
    if (c == '<' || c == '(') ++depth;
    if (c == '>' || c == ')') --depth;
  }
  return std::string_view::npos;
}

// "#0  0x0000555555555186 in main (argc=1, argv=0x7fffffffed68) at prog.c:3"
std::optional<Frame> read_frame(std::string_view text, std::string_view file) {
  constexpr std::string_view at_file = ") at ";
  const std::size_t place = text.rfind(at_file);
  if (place == std::string_view::npos) return std::nullopt;
  std::string_view name = text.substr(place + at_file.size());
  const std::size_t colon = name.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  Frame frame;
  frame.line = number_at<std::size_t>(name.substr(colon + 1)).value_or(0);
  name = name.substr(0, colon);
  if (name.substr(name.rfind('/') + 1) != file) return std::nullopt;  // with its directory in newer formats
  text = text.substr(0, place);
  text.remove_prefix(std::min(text.size(), text.find_first_of(" ")));
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(" ")));
  if (const std::size_t in = text.find(" in "); text.starts_with("0x") && in != std::string_view::npos) {
    text.remove_prefix(in + 4);
  }
  const std::size_t arguments = find_arguments(text);
  if (arguments == std::string_view::npos) return std::nullopt;
  frame.function = text.substr(0, arguments - 1);
  frame.arguments = readable_values(text.substr(arguments + 1));
  return frame;
}

void add_local(Frame& frame, std::string_view line) {
  const std::size_t name = line.find_first_not_of(' ');
  const std::size_t equals = line.find(" = ");
  if (name == std::string_view::npos || equals == std::string_view::npos || equals < name) return;
  if (line.substr(name, equals - name).find(' ') != std::string_view::npos) return;
  std::string value = readable_values(line.substr(equals + 3));
  if (frame.locals.size() < most_locals && !is_unreadable(value))
    frame.locals.emplace_back(line.substr(name, equals - name), std::move(value));
}

// Numbers of frames to the columns of their places: "#3  0x0000555555555186 main", then "    /home/vm/prog.c:3:27".
std::map<std::size_t, std::size_t> read_columns(std::string_view text, std::string_view file) {
  std::map<std::size_t, std::size_t> columns;
  std::optional<std::size_t> frame;
  bool first_thread = true;  // the one that failed
  const std::string name = std::string(file) + ":";
  each_line(text, [&](std::string_view line) {
    if (line.starts_with("TID ")) first_thread = columns.empty() && !frame;
    if (!first_thread) return;
    if (line.starts_with("#")) frame = number_at<std::size_t>(line.substr(1));
    const std::size_t at = line.rfind(name);
    if (!frame || line.starts_with("#") || at == std::string_view::npos) return;
    const std::string_view place = line.substr(at + name.size());
    const std::size_t colon = place.find(':');
    if (colon == std::string_view::npos) return;
    if (const auto column = number_at<std::size_t>(place.substr(colon + 1))) columns.emplace(*frame, *column);
  });
  return columns;
}

}  // namespace

std::vector<Frame> read_backtrace(std::string_view gdb, std::string_view places, std::string_view file) {
  std::vector<Frame> frames;
  const auto columns = read_columns(places, file);
  bool own = false;
  each_line(gdb, [&](std::string_view line) {
    if (line.starts_with("#")) {
      auto frame = read_frame(line, file);
      own = frame.has_value() && !frame->function.starts_with("pbotvm_");  // what was added to the program
      if (!own) return;
      const auto number = number_at<std::size_t>(line.substr(1));
      frame->number = number.value_or(0);
      const auto column = number ? columns.find(*number) : columns.end();
      if (column != columns.end()) frame->column = column->second;
      frames.push_back(std::move(*frame));
    } else if (own && line.starts_with("        ")) {
      add_local(frames.back(), line);
    }
  });
  return frames;
}

}  // namespace pbotvm::c

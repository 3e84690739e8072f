// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

namespace pbotvm::protocol {

/// What a JSON text may hold.
struct JsonBounds {
  std::size_t depth;   ///< objects and lists inside each other
  std::size_t values;  ///< of all of them together, so that a text cannot grow to much more memory
};

/// What of a JSON text is beyond its bounds, to be asked before a parser builds anything from it; empty when nothing
/// is. A text that is no JSON may pass.
inline std::string_view flaw_of_shape(std::string_view text, const JsonBounds& bounds) {
  std::size_t depth = 0, values = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > bounds.depth) return "nested too deeply";
      ++values;
    } else if (c == '}' || c == ']') {
      if (depth > 0) --depth;
    } else if (c == ',') {
      ++values;
    }
  }
  return values > bounds.values ? "too many values" : "";
}

}  // namespace pbotvm::protocol

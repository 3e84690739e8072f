// SPDX-License-Identifier: MIT
#include "hidden_macros.h"

namespace pbotvm::c {

namespace {

constexpr std::string_view used =
    " F_ _Bool _Complex _Generic __asm__ __attribute__ __builtin_choose_expr __builtin_classify_type "
    "__builtin_types_compatible_p __constructor__ __extension__ __inline__ __no_sanitize__ __no_sanitize_undefined__ "
    "__typeof__ __unused__ argc argv bool char class const constexpr default double each_ extern f_ float if int "
    "known_ long main members_ namespace of_ return short signed sizeof static struct template true typedef union "
    "unsigned value_ void volatile while ";

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

}  // namespace

bool is_used_around(std::string_view name) {
  return !name.empty() && used.find(' ' + std::string(name) + ' ') != std::string_view::npos;
}

std::string_view defined_name(std::string_view definition) {
  std::size_t end = 0;
  while (end < definition.size() &&
         (is_letter(definition[end]) || (end > 0 && definition[end] >= '0' && definition[end] <= '9')))
    ++end;
  return definition.substr(0, end);
}

std::string hide_macros(const Names& names) {
  std::string text;
  for (const std::string& name : names) text += "#pragma push_macro(\"" + name + "\")\n#undef " + name + "\n";
  return text;
}

std::string restore_macros(const Names& names) {
  std::string text;
  for (const std::string& name : names) text += "#pragma pop_macro(\"" + name + "\")\n";
  return text;
}

}  // namespace pbotvm::c

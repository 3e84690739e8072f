// SPDX-License-Identifier: MIT
#include "c_words.h"

#include <algorithm>
#include <initializer_list>

namespace pbotvm::c {

namespace {

bool among(std::initializer_list<std::string_view> words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

bool begins_block(std::string_view word) {
  return among({"if", "while", "for", "switch", "do", "else", "case", "default", "try", "catch"}, word);
}

bool begins_expression(std::string_view word) {
  return among({"return",         "goto",          "sizeof",    "asm",     "__asm__",
                "_Generic",       "break",         "_Alignof",  "alignof", "continue",
                "_Static_assert", "static_assert", "throw",     "new",     "delete",
                "co_await",       "co_yield",      "co_return", "this",    "not"},
               word);
}

bool takes_parenthesis(std::string_view word) {
  return among({"__attribute__", "__attribute", "__declspec", "_Alignas", "alignas", "typeof", "__typeof__", "__typeof",
                "_Atomic", "_BitInt", "asm", "__asm__", "decltype", "noexcept", "explicit", "requires", "throw"},
               word);
}

bool is_class_key(std::string_view word) {
  return among({"struct", "union", "enum", "class"}, word);
}

bool is_type_word(std::string_view word) {
  return among(
      {"int",      "char",     "void",   "short",      "long",      "unsigned", "signed",     "float",    "double",
       "bool",     "_Bool",    "auto",   "wchar_t",    "char8_t",   "char16_t", "char32_t",   "_Complex", "__int128",
       "decltype", "typename", "typeof", "__typeof__", "_Float128", "_BitInt",  "__auto_type"},
      word);
}

bool is_specifier(std::string_view word) {
  return among({"static",    "extern",        "register",      "typedef",      "inline",  "const",    "volatile",
                "restrict",  "_Noreturn",     "_Thread_local", "thread_local", "_Atomic", "_Alignas", "alignas",
                "constexpr", "consteval",     "constinit",     "mutable",      "virtual", "explicit", "friend",
                "noreturn",  "__extension__", "__inline",      "__inline__"},
               word);
}

bool begins_type_name(std::string_view word) {
  if (word.size() > 2 && word.substr(word.size() - 2) == "_t") return true;
  return among({"FILE", "va_list", "div_t", "string", "string_view", "ostream", "istream"}, word);
}

}  // namespace pbotvm::c

// SPDX-License-Identifier: MIT
// The list of the words that the code around a snippet is made of is complete: a macro of one that is missing would
// change that code.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

#include "c_tokens.h"
#include "c_wrap.h"
#include "hidden_macros.h"

namespace pbotvm::c {
namespace {

// Ours, which no snippet and no option may name; and what the compiler defines or takes for itself.
bool is_safe(std::string_view word) {
  constexpr std::array<std::string_view, 4> compilers = {"_Pragma", "__extension__", "__PRETTY_FUNCTION__", "__int128"};
  return word.starts_with("pbotvm_") || word.starts_with("PBOTVM_") || is_used_around(word) ||
         std::find(compilers.begin(), compilers.end(), word) != compilers.end();
}

// What a macro stands for, with its parameters.
std::string_view body_of(std::string_view directive) {
  const std::size_t name = directive.find(macro_name(directive));
  return directive.substr(std::min(name, directive.size()));
}

void read_words(std::string_view code, bool cplusplus, Names& words) {
  for (const Token& token : tokenize(code, cplusplus)) {
    if (token.kind == TokenKind::directive && directive_name(token.text) == "define")
      read_words(body_of(token.text), cplusplus, words);
    if (token.is_word()) words.emplace(token.text);
  }
}

std::string header(const std::string& name) {
  std::ifstream file(PBOTVM_TEST_INCLUDE "/pbotvm/" + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

// In front of the snippet's macros: only those of options hold there, and of these only what begins with an underscore.
TEST(AroundWords, OfHeadersAreKnown) {
  for (const char* name : {"value.h", "binary.h", "value.hpp"}) {
    Names words;
    read_words(header(name), std::string_view(name).ends_with("pp"), words);
    EXPECT_GT(words.size(), 20u) << name;
    for (const std::string& word : words)
      EXPECT_TRUE(word.front() != '_' || is_safe(word)) << word << " in " << name << " is missing in hidden_macros.cpp";
  }
}

// Their macros are used in main, where those of the snippet hold. Parameters are nobody else's.
TEST(AroundWords, OfMacrosAreKnown) {
  const std::string text = header("value.h");  // tokens are views of it
  std::size_t macros = 0;
  for (const Token& token : tokenize(text)) {
    if (token.kind != TokenKind::directive || directive_name(token.text) != "define") continue;
    ++macros;
    Names words;
    read_words(body_of(token.text), false, words);
    for (const char* parameter : {"name_", "v_", "type_", "at_"}) words.erase(parameter);
    for (const std::string& word : words)
      EXPECT_TRUE(is_safe(word)) << word << " in value.h is missing in hidden_macros.cpp";
  }
  EXPECT_GT(macros, 8u);
}

struct Snippet {
  const char* code;
  bool cplusplus;
};

class AroundWordsOf : public ::testing::TestWithParam<Snippet> {};

INSTANTIATE_TEST_SUITE_P(Snippets, AroundWordsOf,
                         ::testing::Values(Snippet{"zz + 1", false}, Snippet{"zz + 1", true}, Snippet{"zz = 1", false},
                                           Snippet{"zz = 1", true}, Snippet{"zq zz[3] = {1}; {}", false},
                                           Snippet{"struct zs { zq zm, za[2]; }; zz + 1", false},
                                           Snippet{"struct zs { zq zm, za[2]; }; zz + 1", true},
                                           Snippet{"struct zs { zq zm; }; zz = 1", false},
                                           Snippet{"\"%b\"; zz + 1", false}),
                         [](const auto& which) { return "n" + std::to_string(which.index); });

TEST_P(AroundWordsOf, AreKnown) {
  WrapOptions options;
  options.cplusplus = GetParam().cplusplus;
  options.headers = false;
  Names words;
  read_words(wrap(GetParam().code, options).source, options.cplusplus, words);
  for (const std::string& word : words)
    EXPECT_TRUE(is_safe(word) || word.front() == 'z') << word << " is missing in hidden_macros.cpp";
}

}  // namespace
}  // namespace pbotvm::c

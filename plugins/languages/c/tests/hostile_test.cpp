// SPDX-License-Identifier: MIT
// Code that nobody means well: it must be read in bounded time, and never end the host.

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>

#include "c_diagnostics.h"
#include "c_wrap.h"
#include "cpp_items.h"

namespace pbotvm::c {
namespace {

class Hostile : public ::testing::TestWithParam<bool> {
 protected:
  WrappedProgram wrap(const std::string& code) const {
    WrapOptions options;
    options.cplusplus = GetParam();
    return c::wrap(code, options);
  }
};

INSTANTIATE_TEST_SUITE_P(Dialect, Hostile, ::testing::Bool(), [](const ::testing::TestParamInfo<bool>& which) {
  return std::string(which.param ? "Cpp" : "C");
});

TEST_P(Hostile, LargeCodeTakesLinearTimeAndSpace) {
  for (const char* unit :
       {"f(){}x;",  "int f(a) b;", "struct a{} ", "((((",   "#\n",        "/*",       "#define \"\"", "{",
        "f(a)b{",   "a<",          "template<",   "a::",    "a:",         "a b:",     "typedef ",     "operator",
        "class a:", "f():a(1),",   "requires ",   "R\"(",   "R\"a",       "int x=1,", "[[",           "do ",
        "else if(", "x{",          "a<b>",        "catch(", "namespace ", "using a",  "%:%>",         "x=y;",
        "a,",       "a\\\n",       "x(y)\n",      "'\"",    "a->b.c[1]",  "1'1",      "if(x)y;",      "\"%b\""}) {
    std::string code;
    while (code.size() < 300'000) code += unit;
    EXPECT_LT(wrap(code).source.size(), 16u << 20) << unit;
  }
}

TEST_P(Hostile, RandomBytesAndRandomTokens) {
  constexpr std::array words = {"int",      "x",         "f",       "(",     ")",       "{",        "}",
                                ";",        ",",         "<",       ">",     "::",      "=",        "+=",
                                "\"",       "'",         "\n",      "#",     "define ", "include ", "<a>",
                                "//",       "/*",        "*/",      "\\\n",  "struct",  "class",    "template",
                                "operator", "typename",  "if",      "else",  "for",     "while",    "do",
                                "return",   "switch",    "case",    ":",     "[",       "]",        "R\"(",
                                ")\"",      "namespace", "using",   "enum",  "static",  "const",    "auto",
                                "->",       "...",       "&&",      "&",     "*",       "1",        "0x",
                                "concept",  "requires",  "try",     "catch", "<:",      ":>",       "<%",
                                "%>",       "%:",        "typedef", "main",  "extern",  "\"C\"",    "~",
                                "this",     "sizeof",    "??",      ".",     "++",      "\xc3\xa4", "\x80",
                                "\x01",     "::",        "'a'",     "\"s\"", "default", "friend",   "__attribute__"};
  std::mt19937 random(20261121);
  for (int round = 0; round < 4000; ++round) {
    std::string code;
    const bool bytes = round % 4 == 0;
    for (std::size_t left = random() % 60; left > 0; --left) {
      if (bytes) {
        code += static_cast<char>(random());
      } else {
        code += words[random() % words.size()];
        if (random() % 2 == 0) code += ' ';
      }
    }
    const std::string source = wrap(code).source;
    EXPECT_EQ(source, wrap(code).source) << "not pure: " << code;
    EXPECT_LT(source.size(), 64 * 1024u) << code;
  }
}

TEST(HostileCompiler, RandomDiagnostics) {
  constexpr std::array parts = {"prog.c",
                                ":",
                                "1",
                                "\n",
                                ": error: ",
                                ": note: ",
                                "required from here",
                                "'",
                                " {aka ",
                                "}",
                                "/usr/x",
                                " | ",
                                " in '__",
                                "In file included from ",
                                "[-Wformat=]",
                                "/usr/bin/ld: ",
                                "(.text",
                                "): ",
                                " ",
                                "99999999999999999999",
                                "\xff",
                                "collect2: "};
  std::mt19937 random(7);
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    for (std::size_t left = random() % 80; left > 0; --left) text += parts[random() % parts.size()];
    EXPECT_LE(compiler_messages(text, {"prog.c", round % 2 == 0}).size(), 2 * text.size() + 100);
  }
}

}  // namespace
}  // namespace pbotvm::c

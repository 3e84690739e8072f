// SPDX-License-Identifier: MIT
// Code that nobody means well: it must be read in bounded time, and never end the host.

#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <functional>
#include <random>
#include <string>

#include "c_diagnostics.h"
#include "c_wrap.h"
#include "cpp_items.h"
#include "crash.h"
#include "sanitizer_messages.h"

namespace pbotvm::c {
namespace {

double processor_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Of the fastest of three, which others on this system disturb least.
double cost(const std::function<void(const std::string&)>& read, const std::string& text) {
  double best = 1e9;
  for (int round = 0; round < 3; ++round) {
    const double begun = processor_seconds();
    read(text);
    best = std::min(best, processor_seconds() - begun);
  }
  return best;
}

// About so many bytes of lines. '#' stands for a number that is another one each time.
std::string repeated(std::string_view unit, std::size_t size) {
  std::string text;
  for (std::size_t number = 0; text.size() < size; ++number) {
    for (const char c : unit) c == '#' ? text += std::to_string(number) : text += c;
  }
  return text;
}

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
    while (code.size() < 130'000) code += unit;  // the most that is divided
    EXPECT_LT(wrap(code).source.size(), 16u << 20) << unit;
    EXPECT_LT(cost([&](const std::string& text) { wrap(text); }, code), 10) << unit;
  }
}

TEST_P(Hostile, AMegabyteIsTakenAsAWholeProgram) {
  for (const char* unit : {"a<", "f(){}x;", "(", "{", "a b:", "x=y;"}) {
    const std::string code = repeated(unit, 1 << 20);
    const WrappedProgram program = wrap(code);
    EXPECT_EQ(program.source.find("int main("), std::string::npos) << unit;
    EXPECT_NE(program.source.find(code), std::string::npos) << unit;
    EXPECT_EQ(program.notices.size(), 1u) << unit;
    EXPECT_LT(cost([&](const std::string& text) { wrap(text); }, code), 10) << unit;
  }
  const std::string whole = "int main(){}//" + std::string(1 << 18, 'x');
  EXPECT_TRUE(wrap(whole).notices.empty());
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

TEST(HostileCompiler, MessagesAreBoundedAndItIsSaid) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "prog.c:1:1: error: " + std::to_string(i) + "\n";
  const std::string many = compiler_messages(text, {"prog.c", true});
  EXPECT_EQ(std::count(many.begin(), many.end(), '\n'), 200);
  EXPECT_TRUE(many.ends_with("error: 199\n[there are more messages, which are not shown]")) << many;
  text.clear();
  for (int i = 0; i < 100; ++i) text += std::to_string(i) + std::string(5000, 'x') + "\n";
  const std::string large = compiler_messages(text, {"prog.c", false});
  EXPECT_LT(large.size(), 17 * 1024u);
  EXPECT_TRUE(large.ends_with("\n[there are more messages, which are not shown]"));
}

Result crash_that_says(const std::string& text) {
  StepResult step;
  step.step = 1;
  step.signal = SIGSEGV;
  Result result;
  result.steps.push_back(step);
  result.output.push_back({2, Stream::out, "@mark frames\n" + text + "\n@mark places\n" + text});
  return result;
}

// A reply that takes seconds costs the plug-in its place in the host.
TEST(HostileOutput, IsReadInLinearTime) {
  constexpr std::size_t much = 256 * 1024;
  const std::array<std::function<void(const std::string&)>, 5> readers = {
      [](const std::string& text) {
        compiler_messages(text, {"prog.c", true});
      },
      [](const std::string& text) {
        compiler_messages(text, {"prog.c", false});
      },
      [](const std::string& text) { sanitizer_messages(text, "prog.c", false); },
      [](const std::string& text) {
        crash_text(crash_that_says(text), 1, 2, {"prog.c", "int x;"}, "mark");
      },
      [](const std::string& text) {
        const std::string frame = "#0  0x1 in f () at prog.c:1\n    /prog.c:1:900\n";
        crash_text(crash_that_says(frame), 1, 2, {"prog.c", text}, "mark");
      }};
  for (const char* unit : {"#\n",
                           ":",
                           ":1",
                           "1:",
                           "prog.c:1",
                           "prog.c:#:1: error: x#\n",
                           "prog.c:#:1: note: x#\n",
                           "x.h:#:1: error: x\n",
                           "/usr/bin/ld: x:1: error: x\n",
                           "/usr/bin/ld: ",
                           " {aka ",
                           " {aka 'x'}",
                           "std::__cxx11::",
                           "std::string >",
                           " (first use in this function)",
                           " in '__",
                           "In file included from #\n",
                           "     x |\n",
                           "==1==ERROR: AddressSanitizer: #\n",
                           "==1==ERROR: AddressSanitizer: #",
                           "    #1 0x1 in f /prog.c:1\n",
                           " is located # [\n",
                           "READ of size ",
                           "SUMMARY: ",
                           "prog.c:",
                           "/prog.c:1:1: runtime error: ",
                           "#0  0x1 in f (x=1) at prog.c:1\n",
                           "#1  0x1 in f (x=1) at prog.c:#\n",
                           ") at ",
                           "operator",
                           "operator<",
                           "##(",
                           " (",
                           "        x = #\n",
                           "TID #:\n",
                           "    /prog.c:1:#\n",
                           "@mark frames\n",
                           "<error",
                           "#0  0x1 in f () at prog.c:1\n        x = {\"<error: 'a",
                           "(",
                           "{",
                           "f(x)[",
                           "}",
                           "\"",
                           "/*",
                           "= {",
                           "\xff"}) {
    const std::string some = repeated(unit, much / 4), four_times = repeated(unit, much);
    for (std::size_t reader = 0; reader < readers.size(); ++reader) {
      const double small = cost(readers[reader], some), large = cost(readers[reader], four_times);
      EXPECT_LT(large, 8 * small + 0.02) << unit << " " << reader;
      EXPECT_LT(large, 1.5) << unit << " " << reader;
    }
  }
}

}  // namespace
}  // namespace pbotvm::c

// SPDX-License-Identifier: MIT
#include "helpers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "../../tests/local_runner.h"
#include "c_language.h"
#include "pbotvm/reply_text.h"

namespace pbotvm::c {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Helpers, AreFoundWhereTheyAreCalled) {
  EXPECT_TRUE(uses_helpers("int x = 5; print(x);"));
  EXPECT_TRUE(uses_helpers("if (1) print(x); else dump(x)"));
  EXPECT_TRUE(uses_helpers("ptype(struct stat)"));
  EXPECT_TRUE(uses_helpers("trace(f) f(2);"));
}

TEST(Helpers, AreTheAuthorsOwnWhereHeDeclaresThem) {
  EXPECT_FALSE(uses_helpers("void print(int x) { printf(\"%d\", x); } print(3);"));
  EXPECT_FALSE(uses_helpers("#define dump(x) puts(x)\ndump(\"a\");"));
  EXPECT_FALSE(uses_helpers("int *watch(void); watch();"));
  EXPECT_FALSE(uses_helpers("s.print(3); p->dump(); N::trace(x);"));
  EXPECT_FALSE(uses_helpers("puts(\"print(x)\"); int print = 3; // dump(x)"));
  EXPECT_FALSE(uses_helpers("vector<int> print(3);"));
}

Request request(const std::string& code) {
  Request request;
  request.language = "c11";
  request.code = code;
  return request;
}

TEST(Helpers, LeaveOtherJobsAlone) {
  const Plan plan = CLanguage("c11").plan(request("puts(\"print\");"));
  EXPECT_EQ(std::get<Job>(plan).steps[1].argv.front(), "./prog");
  EXPECT_EQ(std::get<Job>(plan).files.size(), 1u);
}

TEST(Helpers, RunTheProgramWithItsArgumentsUnderTheDebugger) {
  const Plan plan = CLanguage("c11").plan(request("-args \"a b\" print(argc)"));
  const Step& step = std::get<Job>(plan).steps[1];
  EXPECT_EQ(step.argv.front(), "gdb");
  EXPECT_THAT(step.argv, ::testing::Contains("--args"));
  EXPECT_EQ(step.argv.back(), "b");
  EXPECT_EQ(step.argv.at(step.argv.size() - 3), "./prog");
}

// With this system's debugger, where it has one that works; the machine's is tested with the machine.
class WithDebugger : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("gdb -nx -batch -ex 'python print(1)' >/dev/null 2>&1") != 0) GTEST_SKIP() << "no gdb here";
    // Containers often refuse ptrace.
    if (std::system("gdb -nx -batch -ex run -ex quit /bin/true 2>/dev/null | grep -q 'exited normally'") != 0)
      GTEST_SKIP() << "gdb may not run programs here";
  }
  static std::string reply(const std::string& code) { return testing::reply_to(CLanguage("c11"), code); }
};

TEST_F(WithDebugger, ValuesAndTypesAreToldInOrder) {
  EXPECT_EQ(reply("struct s { int a; char *b; } x = {5, \"hi\"}; puts(\"one\"); whatis(x.b); print(x.a + 1); ptype(x); "
                  "puts(\"two\");"),
            "one\nx.b = char *\nx.a + 1 = 6\nx = struct s { int a; char *b; }\ntwo");
}

TEST_F(WithDebugger, WhatCannotBeToldIsSaidInWordsOfTheCode) {
  EXPECT_EQ(
      reply("struct s { int a; } x = {1}; int *p = (int *)8; print(nothing); ptype(struct t); whatis(x.b); print(x +); "
            "dump(*p); watch(5); trace(g); print(*x); puts(\"end\");"),
      "print(nothing): there is no 'nothing' here\n"
      "ptype(struct t): there is no type 't' here\n"
      "whatis(x.b): it has no member 'b'\n"
      "print(x +): the expression is not complete\n"
      "dump(*p): the memory at 0x8 cannot be read\n"
      "watch(5): it is a value, and no variable\n"
      "trace(g): there is no function 'g'\n"
      "print(*x): it has no operator '*'\nend");
}

TEST_F(WithDebugger, ValuesThatCannotBeReadOrHaveNoEndAreShort) {
  EXPECT_EQ(reply("char *s = (char *)8; struct { char *s; int k; } x = {s, 2}; print(s); print(x);"),
            "s = 0x8 <not readable>\nx = {s = 0x8 <not readable>, k = 2}");
  const std::string text = reply(
      "static struct { double a[20], b[20], c[20]; } x[64]; for (int i = 0; i < 60; i++) "
      "x[i / 20].a[i % 20] = i + 0.123456789012345; print(x); puts(\"end\");");
  EXPECT_LT(text.size(), 1100u) << text;
  EXPECT_THAT(text, ::testing::EndsWith("...\nend"));
}

TEST_F(WithDebugger, LinesWithoutCodeArePassedOver) {
  const std::string text = reply("trace(1, 1000000);\n// nothing\n\nint a = 1;\nputs(\"end\");");
  EXPECT_THAT(text, ::testing::StartsWith("trace(1, 1000000): the code ends at line 5\nline 4: int a = 1;"));
  EXPECT_THAT(text, HasSubstr("line 5: puts(\"end\");"));
  EXPECT_THAT(text, Not(HasSubstr("No line")));
  EXPECT_THAT(reply("trace(2, 3);\n// nothing\n\nputs(\"end\");"),
              HasSubstr("trace(2, 3): nothing is done in these lines\nend"));
  EXPECT_EQ(reply("trace(99999999999999999999999, 7);\nputs(\"end\");"),
            "trace(99999999999999999999999, 7): the code ends at line 2\nend");
}

TEST_F(WithDebugger, CallsOfATracedFunctionAreShownWithTheirResults) {
  EXPECT_EQ(reply("int f(int n) { return n < 2 ? n : f(n - 1) + n; } trace(f); f(2);"),
            "called f (n=2)\ncalled f (n=1)\nf returned 1\nf returned 3");
}

TEST_F(WithDebugger, TracedLinesAreShownWithWhatChanges) {
  const std::string text = reply("trace(2, 3);\nint a = 1;\na += 4;\nputs(\"end\");");
  EXPECT_THAT(text, HasSubstr("line 2: int a = 1;"));
  EXPECT_THAT(text, HasSubstr("line 3: a += 4; <a = 1>"));
  EXPECT_THAT(text, Not(HasSubstr("line 4")));
}

TEST_F(WithDebugger, ChangesOfAWatchedVariableAreShown) {
  EXPECT_EQ(reply("int a = 1; watch(a); a = 5; puts(\"x\"); a++;"), "a: 1 -> 5\nx\na: 5 -> 6");
}

TEST_F(WithDebugger, WhatNeedsACallToBeReachedIsWatchedWhereItLies) {
  EXPECT_EQ(testing::reply_to(CLanguage("c++"), "vector<int> v{1, 2}; watch(v[0]); v[0] = 7;"), "v[0]: 1 -> 7");
}

TEST_F(WithDebugger, EndsAsTheProgramDoes) {
  EXPECT_EQ(reply("int a = 1; print(a); exit(3);"), "a = 1\n [Exit 3]");
  EXPECT_THAT(reply("int *p = 0; print(p); *p = 1;"), HasSubstr("Program received signal SIGSEGV"));
}

TEST_F(WithDebugger, OptionsThatLeaveTheDebuggerNothingAreOverruled) {
  for (const char* option : {"-g0", "-g1", "-s"})
    EXPECT_EQ(reply(std::string(option) + " int x = 3; print(x); puts(\"end\");"), "x = 3\nend") << option;
}

TEST_F(WithDebugger, AProgramThatTheDebuggerDoesNotKnowRunsAndOneLineSaysSo) {
  constexpr std::string_view line =
      "[print, trace and the others know nothing: the program was built without debugging information]\n";
  const auto built = [](const std::string& option, const std::string& code) {
    Job job = std::get<Job>(CLanguage("c11").plan(request(code)));
    std::vector<std::string>& compile = job.steps[0].argv;
    std::erase(compile, "-g");
    compile.push_back(option);
    return stream_of(testing::LocalRunner().run(job), 1, Stream::out);
  };
  for (const char* option : {"-g0", "-g1", "-s"})
    EXPECT_EQ(built(option, "int x = 3; print(x); print(x); puts(\"end\");"), std::string(line) + "end\n") << option;
}

TEST_F(WithDebugger, OutputOfTracesIsBounded) {
  const std::string text =
      reply("int f(int n) { return n; } trace(f); for (int i = 0; i < 150; i++) f(i); puts(\"end\");");
  EXPECT_THAT(text, HasSubstr("[200 lines of trace and watch, no more are shown]\nend"));
}

}  // namespace
}  // namespace pbotvm::c

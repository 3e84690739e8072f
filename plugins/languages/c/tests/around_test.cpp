// SPDX-License-Identifier: MIT
// What is put around a snippet is nobody's concern: neither do its macros and options change that, nor is it spoken of.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "../../tests/local_runner.h"
#include "c_diagnostics.h"
#include "c_language.h"
#include "hidden_macros.h"
#include "samples.h"

namespace pbotvm::c {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using testing::reply_to;
using ::testing::StartsWith;

auto says_nothing_of_it() {
  return AllOf(Not(HasSubstr("pbotvm")), Not(HasSubstr("PBOTVM")), Not(HasSubstr("wrapper")),
               Not(HasSubstr("put around")), Not(HasSubstr("/tmp")));
}

std::string dialect_name(const ::testing::TestParamInfo<const char*>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '+', 'p');
  return name;
}

class AroundC : public ::testing::TestWithParam<const char*> {
 protected:
  std::string reply(const std::string& code) const { return reply_to(CLanguage(GetParam()), code); }
};

INSTANTIATE_TEST_SUITE_P(Compilers, AroundC, ::testing::Values("c11", "clang2x"), dialect_name);

TEST_P(AroundC, MacrosOfOptionsDoNotReachIt) {
  for (const char* option : {"-Dstatic=", "-Dmain=foo", "-D main=foo", "-Dvoid=int", "-Dif=while", "-Dreturn=",
                             "-Dargc=7", "-Dconst=", "-D_Generic(...)=7", "-D__asm__(x)=", "-D__typeof__=typeof",
                             "-Dtext=3", "-Dsize=10", "-Dconstructor=x", "-Ddefault=case"}) {
    const std::string expected = "no output: x = 5 (int)";
    if (option == std::string("-Dstatic=") && GetParam() == std::string("clang2x")) continue;  // breaks <tgmath.h>
    EXPECT_EQ(reply(std::string(option) + " int x = 5; x"), expected) << option;
  }
}

TEST_P(AroundC, MacrosOfTheCodeDoNotReachIt) {
  for (const char* macro :
       {"if while", "main foo", "static", "void int", "return", "char int", "unsigned", "sizeof(x) 3",
        "_Generic(...) 7", "default case", "const", "argc 5", "typedef", "struct union"})
    EXPECT_THAT(reply("#define " + std::string(macro) + "\nint x = 5; x"), EndsWith("no output: x = 5 (int)")) << macro;
  for (const char* define : {"# /* a */ define if while", "#/* */define char int", "#define /* */ main /* */ foo"})
    EXPECT_THAT(reply(std::string(define) + "\nint x = 5; x"), EndsWith("no output: x = 5 (int)")) << define;
}

TEST_P(AroundC, BinaryConversionStandsBesideEveryMacro) {
  for (const char* option : {"-Dinfo=5", "-Dbits=1", "-Dstatic=", "-Dvalue=3"}) {
    if (option == std::string("-Dstatic=") && GetParam() == std::string("clang2x")) continue;
    EXPECT_EQ(reply(std::string(option) + " printf(\"%b\\n\", 5);"), "101") << option;
  }
}

TEST_P(AroundC, WarningsThatAreErrorsAreNotAboutIt) {
  for (const char* options : {"-Wall -Wextra -Werror", "-std=c99 -Wall -Wextra -Wpedantic -Werror",
                              "-Wmissing-prototypes -Wmissing-declarations -Wunused-macros -Wshadow -Werror"})
    EXPECT_EQ(reply(std::string(options) + " int x = 5; x"), "no output: x = 5 (int)") << options;
}

TEST_P(AroundC, CodeThatIncludesItselfIsToldSo) {
  EXPECT_THAT(reply("#include \"prog.c\""), StartsWith("error: #include nested "));
  EXPECT_THAT(reply("int x = 5;\n#include __FILE__\nx"), MatchesRegex("prog.c:[12]:[0-9]+: error: .*\n?.*"));
  EXPECT_THAT(reply("int x = 5;\n#include __FILE__\nx"), says_nothing_of_it());
}

TEST_P(AroundC, CodeMayIncludeItselfOnce) {
  EXPECT_EQ(reply("#ifndef AGAIN\n#define AGAIN\n#include \"prog.c\"\nint main(void) { return f(); }\n"
                  "#else\nint f(void) { return 3; }\n#endif"),
            "Exit 3.");
}

TEST_P(AroundC, CodeWithoutALibraryMayBringItsOwnStart) {
  EXPECT_THAT(reply("-nostdlib -static int f(void) { return 1; }\nint main(void) { return g(); }"),
              AllOf(HasSubstr("'g'"), says_nothing_of_it()));
  EXPECT_THAT(reply("-nostdlib -noheaders -nomain extern int f(void); int q(void) { return f(); }"),
              AllOf(HasSubstr("undefined reference to `f'"), says_nothing_of_it()));
}

TEST_P(AroundC, MistakesAreToldInWordsOfTheCode) {
  for (const char* code : {"int x = 'zz; x",
                           "char *s = \"abc; puts(s)",
                           "'zz",
                           "/* open",
                           "int f() {",
                           "(5",
                           "5)",
                           "{",
                           "}",
                           "x = {",
                           "int a[3",
                           "if (",
                           "else",
                           "struct s {",
                           "#define X 'zz\nputs(X)",
                           "\\",
                           "@",
                           "int x = 5 +",
                           "int main(",
                           "case 1:",
                           "break;",
                           "goto end;",
                           "extern int q; q",
                           "int q(void); q()",
                           "asm(\"foo\")",
                           "#include",
                           "#error no",
                           "#pragma GCC poison main\nint x = 5; x",
                           "#line 7 \"other.c\"\nint x = y;",
                           "int x;\n#line 90\nx = y;",
                           "int printf = 3; printf",
                           "_Static_assert(0, \"no\");",
                           "int argc = 5; argc"}) {
    EXPECT_THAT(reply("-Wall " + std::string(code)), says_nothing_of_it()) << code;
  }
}

// Compilers repeat what they see more than once: the value is not shown then.
TEST_P(AroundC, ExpressionsThatDefineTypesCompile) {
  for (const char* code : {"int x = 5; sizeof(struct S { int a; })", "(enum { A = 3 }) 1 + A",
                           "sizeof(struct __attribute__((packed)) S { int a; })", "(struct { int a; }){5}.a",
                           "#define D struct S { int a; }\nsizeof(D)", "sizeof(union { int a; }) + 1"})
    EXPECT_THAT(reply("-Wno-unused-value " + std::string(code)), Not(HasSubstr("error"))) << code;
  EXPECT_EQ(reply("struct p { int x; }; ((struct p){3}).x"), "no output: ((struct p){3}).x = 3 (int)");
  EXPECT_EQ(reply("#define P(n) (struct p){n}\nstruct p { int x; }; 0 + P(4).x"), "no output: 0 + P(4).x = 4 (int)");
}

// It is left out where numbers with a point cannot be passed on.
TEST_P(AroundC, NoValueWithoutFloatingPointRegisters) {
  for (const char* option : {"-mno-sse", "-mno-sse2", "-mgeneral-regs-only"}) {
    const std::string answer = reply(std::string(option) + " int x = 5; x");
    EXPECT_THAT(answer, Not(HasSubstr("SSE"))) << option;
    EXPECT_THAT(answer, says_nothing_of_it()) << option;
  }
}

TEST(Around, NoWarningOfCIsAboutIt) {
  for (const char* option : {"-Wzero-as-null-pointer-constant", "-Wuseless-cast", "-Wold-style-cast", "-Wconversion"})
    EXPECT_EQ(reply_to(CLanguage("c++"), std::string(option) + " -Werror cout << 1;"), "1") << option;
  EXPECT_EQ(reply_to(CLanguage("clang++"), "-Wzero-as-null-pointer-constant -Werror cout << 1;"), "1");
  EXPECT_EQ(reply_to(CLanguage("c11"), "-Wtraditional-conversion -Wcast-qual -Wstrict-prototypes -Werror puts(\"1\");"),
            "1");
  // Of traditional C there is no main with arguments.
  EXPECT_EQ(reply_to(CLanguage("c11"), "-Wtraditional -Werror puts(\"1\");"),
            "error: what is put around the code does not compile with these macros and options");
}

TEST(Around, CodeThatIsCutShortIsToldOnce) {
  EXPECT_EQ(reply_to(CLanguage("c11"), "int x = 'zz; x"), "error: missing terminating ' character");
  EXPECT_EQ(reply_to(CLanguage("c11"), "int x = 1;\nchar *s = \"ab"),
            "prog.c:2:11: error: missing terminating \" character");
  EXPECT_EQ(reply_to(CLanguage("c11"), "}"), "error: expected identifier or '(' at end of input");
}

TEST(Around, QuotedLinesAreTheAuthors) {
  EXPECT_EQ(reply_to(CLanguage("c11"), "-fdiagnostics-show-caret int x = 1;\n  return y;"),
            "prog.c:2:10: error: 'y' undeclared\n    2 |   return y;\n      |          ^");
  EXPECT_EQ(reply_to(CLanguage("clang2x"), "-fcaret-diagnostics int x = 1;\n  return y;"),
            "prog.c:2:10: error: use of undeclared identifier 'y'\n    2 |   return y;\n      |          ^");
  // clang quotes where nothing says that it should not.
  EXPECT_EQ(reply_to(CLanguage("clang2x"), "-Wall int x = y;"), "error: use of undeclared identifier 'y'");
}

TEST(Around, ItsNamesAreNoMacrosOfOptions) {
  for (const char* option : {"-DPBOTVM_VALUE_H", "-D PBOTVM_VALUE_H", "-Dpbotvm_put_=x", "-UPBOTVM_SHOW_"})
    EXPECT_THAT(reply_to(CLanguage("c11"), std::string(option) + " int x = 5; x"),
                StartsWith("Option '" + std::string(option) + "' is not allowed for language 'c11'"));
  EXPECT_THAT(reply_to(CLanguage("c11"), "#define PBOTVM_VALUE_H 3\nint x = 5; x"), Not(HasSubstr("error")));
}

TEST(Around, CppOfEveryStandard) {
  const CLanguage cpp("c++");
  EXPECT_EQ(reply_to(cpp, "-std=c++98 -pedantic-errors int x = 5; x"), "Success (no output).");
  EXPECT_EQ(reply_to(cpp, "-std=c++11 -Wall -Wextra -Werror cout << 5 << endl;"), "5");
  EXPECT_EQ(reply_to(cpp, "-std=c++17 -Wall -Wextra -Wpedantic -Werror int x = 5; x"), "no output: x = 5 (int)");
}

TEST(Around, CppMacrosDoNotReachIt) {
  const CLanguage cpp("c++");
  EXPECT_EQ(reply_to(cpp, "-Dmain=foo -Dtext=3 int x = 5; x"), "no output: x = 5 (int)");
  for (const char* macro : {"size=10", "begin=7", "auto=int", "typename", "value=x", "first=2", "data=3"})
    EXPECT_EQ(reply_to(cpp, "-D" + std::string(macro) + " #include <stdio.h>\nint x = 5; x"), "no output: x = 5 (int)")
        << macro;
  for (const char* macro : {"size 4", "begin 5", "template", "if while", "value_ x"})
    EXPECT_EQ(reply_to(cpp, "#include <vector>\n#define " + std::string(macro) + "\nint x = 5; x"),
              "no output: x = 5 (int)")
        << macro;
  EXPECT_THAT(reply_to(cpp, "#include \"prog.cpp\""), StartsWith("error: #include nested "));
}

TEST(AroundMessages, MistakesInItAreOneMessageWhereThereIsNoOther) {
  const std::string ours =
      "<wrapper>:1:2: warning: unused parameter 'argc' [-Wunused-parameter]\n"
      "<wrapper>:1:2: error: 'pbotvm_value_' undeclared\n"
      "/usr/include/pbotvm/value.h:9:1: error: 'PBOTVM_X_' undeclared\n";
  EXPECT_EQ(compiler_messages(ours, {"prog.c", true}),
            "error: what is put around the code does not compile with these macros and options");
  EXPECT_EQ(compiler_messages(ours + "prog.c:1:5: error: 'y' undeclared\n", {"prog.c", true}), "error: 'y' undeclared");
  EXPECT_EQ(compiler_messages("/tmp/x.o: in function `main':\n/usr/bin/ld: <wrapper>:1: undefined reference to "
                              "`pbotvm_show_'\ncollect2: error: ld returned 1 exit status\n",
                              {"prog.c", true}),
            "error: what is put around the code does not compile with these macros and options");
}

TEST(AroundMessages, ErrorsInItAreNotShownWhateverTheySay) {
  const std::string said = "error: what is put around the code does not compile with these macros and options";
  for (const char* text :
       {"/usr/include/pbotvm/value.h:9:1: error: SSE register return with SSE disabled\n",
        "<wrapper>:3:9: error: zero as null pointer constant [-Werror=zero-as-null-pointer-constant]\n",
        "<wrapper>:3:9: error: expected something else [-Werror=any]\n"})
    EXPECT_EQ(compiler_messages(text, {"prog.c", true}), said);
  // What the author did not close shows behind his code, and what he gave in its templates.
  EXPECT_EQ(compiler_messages("<wrapper>:1:1: error: expected '}' at end of input\n", {"prog.c", true}),
            "error: expected '}' at end of input");
  EXPECT_EQ(
      compiler_messages("prog.cpp:2:5:   required from here\n/usr/include/pbotvm/value.hpp:9:1: error: no match\n",
                        {"prog.cpp", false}),
      "prog.cpp:2:5: error: no match");
}

TEST(AroundMessages, CodeThatSpeaksOfItIsAnswered) {
  DiagnosticsContext context{"prog.c", true};
  context.code = "pbotvm_put_(1)";
  EXPECT_EQ(compiler_messages("prog.c:1:1: error: 'pbotvm_put_' undeclared\n", context),
            "error: 'pbotvm_put_' undeclared");
}

TEST(AroundMessages, TheLinkerNamesNoFilesOfItsOwn) {
  EXPECT_EQ(compiler_messages("/usr/bin/ld: /tmp/x.o: warning: relocation against `f' in read-only section `.text'\n"
                              "/usr/bin/ld: prog.c:(.text.startup+0x13): undefined reference to `f'\n"
                              "/usr/bin/ld: warning: creating DT_TEXTREL in a PIE\n",
                              {"prog.c", true}),
            "undefined reference to `f'");
}

TEST(HiddenMacros, NamesOfDefinitions) {
  EXPECT_EQ(defined_name("X=4"), "X");
  EXPECT_EQ(defined_name("f(x)=x"), "f");
  EXPECT_EQ(defined_name("1x"), "");
  EXPECT_TRUE(is_used_around("main"));
  EXPECT_FALSE(is_used_around("mai"));
  EXPECT_FALSE(is_used_around(""));
}

}  // namespace
}  // namespace pbotvm::c

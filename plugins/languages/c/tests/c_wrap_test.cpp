// SPDX-License-Identifier: MIT
#include "c_wrap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "c_diagnostics.h"
#include "c_items.h"
#include "c_tokens.h"
#include "cpp_items.h"
#include "preamble.h"

namespace pbotvm::c {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> texts(std::string_view code) {
  std::vector<std::string> result;
  for (const Token& token : tokenize(code)) result.emplace_back(token.text);
  return result;
}

// "F" for a function, "D" declaration, "T" tagged, "S" statement, "#" directive.
std::string shape(std::string_view code) {
  std::string result;
  for (const Item& item : split_items(tokenize(code))) result += "#FDTS"[static_cast<int>(item.kind)];
  return result;
}

TEST(Tokens, StringsCommentsAndCharactersHideWhatIsInThem) {
  EXPECT_THAT(texts(R"(f("}/*", '"', '\'') // { " x
/* ; { */ g;)"),
              ElementsAre("f", "(", R"("}/*")", ",", R"('"')", ",", R"('\'')", ")", "g", ";"));
}

TEST(Tokens, IncludeEndsWithItsHeader) {
  EXPECT_THAT(texts("#include <stdio.h> int main() {}"),
              ElementsAre("#include <stdio.h>", "int", "main", "(", ")", "{", "}"));
  EXPECT_THAT(texts("#include \"a.h\" x"), ElementsAre("#include \"a.h\"", "x"));
}

TEST(Tokens, DirectiveTakesItsContinuedLineAndNoMore) {
  EXPECT_THAT(texts("#define A(x) \\\n  {x}\nA(1)"), ElementsAre("#define A(x) \\\n  {x}", "A", "(", "1", ")"));
}

TEST(Tokens, CommentsMayStandInDirectives) {
  EXPECT_EQ(directive_name("# /* a */ define if while"), "define");
  EXPECT_EQ(macro_name("#/* */define/**/char int"), "char");
  EXPECT_EQ(macro_first_word("#define /* b */ x /* c */ do {"), "do");
  EXPECT_EQ(directive_name("#/* without an end"), "");
}

TEST(Tokens, DirectiveMayFollowAStatementInItsLine) {
  EXPECT_THAT(texts("int x; #define Y 3\nx"), ElementsAre("int", "x", ";", "#define Y 3", "x"));
}

TEST(Tokens, CommentWithoutEndReachesTheCompiler) {
  EXPECT_THAT(texts("x /* y"), ElementsAre("x", "/* y"));
}

TEST(Tokens, DigitSeparatorIsNoCharacter) {
  EXPECT_THAT(texts("1'000'000;"), ElementsAre("1'000'000", ";"));
}

TEST(Items, StatementsAreNoFunctions) {
  EXPECT_EQ(shape("if (x) { y; } else { z; } while (f(x)) { } for (;;) {} do { } while (0); switch (x) { case 1: ; }"),
            "SSSSSSS");
  EXPECT_EQ(shape("int a[] = {1, 2}; x = (struct s){1}; f((int[]){1}); { int y; } return (struct s){1}.x;"), "SSSSS");
}

TEST(Items, FunctionsOfEveryForm) {
  EXPECT_EQ(shape("int f(int a) { return a; }"), "F");
  EXPECT_EQ(shape("static inline struct s *f(void) { return 0; } x;"), "FS");
  EXPECT_EQ(shape("int f(a, b) int a; char *b; { return a; } f(1, 0)"), "FS");
  EXPECT_EQ(shape("int (*f(int a))(int) { return 0; }"), "F");
  EXPECT_EQ(shape("main() { }"), "F");
  EXPECT_EQ(shape("[[maybe_unused]] static int f(void) { return 4; } f();"), "FS");
  EXPECT_EQ(shape("__attribute__((noinline)) int f(void) { return 1; }"), "F");
  EXPECT_EQ(shape("struct s { int a; } f(void) { struct s x = {1}; return x; }"), "F");
}

TEST(Items, TypesPrototypesAndStaticVariables) {
  EXPECT_EQ(
      shape("struct s { int a; }; union u { int a; }; enum { A, B }; typedef int t; typedef struct { int a; } v;"),
      "DDDDD");
  EXPECT_EQ(shape("struct __attribute__((packed)) s { int a; }; int f(int); static int x = 5;"), "DDD");
  EXPECT_EQ(shape("struct s { int a; } x = {1};"), "T");
  EXPECT_EQ(shape("f(x); int (*p)(int); puts(\"a\") puts(\"b\");"), "SSS");
}

TEST(Items, LoopOfAMacroIsNoFunctionButAFunctionOfAMacroIs) {
  EXPECT_EQ(shape("#define EACH(i) for (i = 0; i < 3; i++)\nEACH(j) { f(j); }"), "#S");
  EXPECT_EQ(shape("#define FN(n) int n(void)\nFN(g) { return 1; } g();"), "#FS");
}

std::string cpp_shape(std::string_view code) {
  std::string result;
  for (const Item& item : split_cpp_items(tokenize(code, true))) result += "#FDTS"[static_cast<int>(item.kind)];
  return result;
}

TEST(CppItems, Functions) {
  EXPECT_EQ(cpp_shape("auto f() -> std::vector<int> { return {}; } int g() noexcept(true) { return 1; }"), "FF");
  EXPECT_EQ(cpp_shape("A::A(int x) : B<int>(x), c{x}, d(x)... { } A::~A() {} A::operator bool() const { return 1; }"),
            "FFF");
  EXPECT_EQ(cpp_shape("template <class T, class = int> T f(T a) requires C<T> { return a; } int operator()(int) { }"),
            "FF");
  EXPECT_EQ(cpp_shape("std::ostream& operator<<(std::ostream& o, const P& p) { return o; } f(1);"), "FS");
  EXPECT_EQ(cpp_shape("int f() try { } catch (int) { } catch (...) { } x;"), "FS");
}

TEST(CppItems, Declarations) {
  EXPECT_EQ(cpp_shape("class A final : public B<int>, C { int x; }; enum class E : int { A }; struct { int a; } s{1};"),
            "DDD");
  EXPECT_EQ(
      cpp_shape("namespace a::b { int f() { } } inline namespace v { } namespace c = a; using T = int; using a::b;"),
      "DDDDD");
  EXPECT_EQ(cpp_shape("template <class T> concept C = requires(T a) { a + 1; }; template <class T> struct S { };"),
            "DD");
  EXPECT_EQ(cpp_shape("int f(int); std::string g(const T&, int x = 3); void h() noexcept; int A::n = 5;"), "DDDS");
  EXPECT_EQ(cpp_shape("struct A { static int n; }; int A::n = 5; const int k = 3; constexpr int m = k;"), "DDDD");
}

TEST(CppItems, Statements) {
  EXPECT_EQ(
      cpp_shape("std::vector<int> v{1, 2}; P p(3); P q(v, 2); std::sort(v.begin(), v.end()); auto f = [] { x; };"),
      "SSSSS");
  EXPECT_EQ(cpp_shape("if constexpr (a) b; else { } for (auto x : v{1}) if (x) y{2}; else z; do x; while (y);"),
            "SSSSSS");
  EXPECT_EQ(cpp_shape("[] { return 1; }(); a < b && c > d; x = P{1}; const int k = f(); return P{1};"), "SSSSS");
}

TEST(Wrap, AddsTheLastSemicolonBehindTheCodeNotBehindItsComment) {
  EXPECT_THAT(wrap("puts(\"x\") // greet").source, HasSubstr("puts(\"x\");"));
  EXPECT_THAT(wrap("int a[] = {1}").source, HasSubstr("{1};"));
  EXPECT_THAT(wrap("if (1) { puts(\"x\"); }").source, Not(HasSubstr("};")));
}

TEST(Wrap, OnlyTheHeadersThatWereGiven) {
  EXPECT_THAT(wrap("puts(\"\")").source, HasSubstr("<wctype.h>"));
  const std::string source = wrap("#include <stdio.h>\nputs(\"\")").source;
  EXPECT_THAT(source, Not(HasSubstr("stdlib.h")));
  EXPECT_LT(source.find("#include <stdio.h>"), source.find("int main"));
}

// A guest without the header gets the list, one with it the file.
TEST(Wrap, TheListOfHeadersIsThatOfTheInstalledFile) {
  for (const bool cplusplus : {false, true}) {
    const std::string path = std::string(PBOTVM_TEST_INCLUDE) + (cplusplus ? "/pbotvm/usual.hpp" : "/pbotvm/usual.h");
    std::ifstream file(path);
    ASSERT_TRUE(file) << path;
    Preamble wanted;
    wanted.cplusplus = cplusplus;
    wanted.usual_headers = true;
    const std::string source = preamble(wanted);
    std::size_t found = 0;
    for (std::string line; std::getline(file, line);) {
      if (line.rfind("#include <", 0) != 0) continue;
      EXPECT_THAT(source, HasSubstr(line + "\n"));
      ++found;
    }
    EXPECT_GT(found, 20u);
  }
}

TEST(Wrap, AWholeProgramKeepsItsText) {
  const std::string code = "#include <stdio.h>\nint main(void)\n{\n  puts(\"x\"); /* y */\n}\n";
  const std::string source = wrap(code).source;
  EXPECT_EQ(source.substr(source.find("#line 1 \"prog.c\"")), "#line 1 \"prog.c\"\n" + code);
}

TEST(Wrap, LinesAndColumnsAreThoseOfTheAuthor) {
  const std::string source = wrap("int f(void) { return 1; }\n  int y = f();").source;
  EXPECT_THAT(source, HasSubstr("#line 2 \"prog.c\"\n  int y"));
  EXPECT_THAT(wrap("int x; int f(void) { return 1; }").source, HasSubstr("#line 1 \"prog.c\"\n       int f"));
}

TEST(Wrap, SaysThatADirectiveSwallowedTheRest) {
  EXPECT_EQ(wrap("#define X 3 printf(\"x\");").notices.size(), 1u);
  EXPECT_TRUE(wrap("#define X 3\nprintf(\"x\");").notices.empty());
}

TEST(Wrap, LargeHostileCodeTakesLinearTimeAndSpace) {
  for (const char* unit :
       {"f(){}x;", "int f(a) b;", "struct a{} ", "((((", "#\n", "/*", "#define \"\"", "{", "f(a)b{"}) {
    std::string code;
    while (code.size() < 130'000) code += unit;  // more is not divided
    EXPECT_LT(wrap(code).source.size(), 16u << 20) << unit;
  }
}

TEST(Messages, NoiseIsLeftOut) {
  const std::string text =
      "prog.c: In function 'main':\nprog.c:1:19: error: 'y' undeclared (first use in this function)\n"
      "prog.c:1:19: note: each undeclared identifier is reported only once for each function it appears in\n"
      "compilation terminated due to -Wfatal-errors.\n";
  EXPECT_EQ(compiler_messages(text, {"prog.c", true}), "error: 'y' undeclared");
  EXPECT_EQ(compiler_messages(text, {"prog.c", false}), "prog.c:1:19: error: 'y' undeclared");
}

TEST(Messages, LinkerTellsOnlyThePlace) {
  EXPECT_EQ(compiler_messages(
                "/usr/bin/ld: /tmp/ccA.o: in function `main':\n/usr/bin/ld: /tmp/job/prog.c:1: undefined reference to "
                "`g'\ncollect2: error: ld returned 1 exit status\n",
                {"prog.c", true}),
            "undefined reference to `g'");
}

}  // namespace
}  // namespace pbotvm::c

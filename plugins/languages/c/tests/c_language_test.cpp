// SPDX-License-Identifier: MIT
#include "c_language.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../../tests/local_runner.h"
#include "pbotvm/reply_text.h"
#include "samples.h"

namespace pbotvm::c {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::reply_to;
using ::testing::StartsWith;

class EveryStandard : public ::testing::TestWithParam<const char*> {
 protected:
  std::string reply(const std::string& code) const { return reply_to(CLanguage(GetParam()), code); }
};

std::string standard_name(const ::testing::TestParamInfo<const char*>& info) {
  return info.param;
}

INSTANTIATE_TEST_SUITE_P(Gcc, EveryStandard, ::testing::Values("c89", "c99", "c11", "c2x"), standard_name);

TEST_P(EveryStandard, SnippetWithTheUsualHeadersCompilesWithoutAWarning) {
  EXPECT_EQ(reply(R"(printf("hi\n"))"), "hi");
  EXPECT_EQ(reply("exit(3)"), "Exit 3.");
  EXPECT_EQ(reply(CLanguage(GetParam()).hello()), "hello");
}

TEST_P(EveryStandard, FunctionsAreLiftedOutOfMain) {
  EXPECT_EQ(reply(R"(int f(int a){return a*3;} printf("%d\n", f(4));)"), "12");
  EXPECT_EQ(reply(R"(int g(int); int f(int a){return g(a)+1;} int g(int a){return a*2;} printf("%d", f(4)))"), "9");
}

TEST_P(EveryStandard, TypesMacrosAndStaticsServeFunctionsAndStatements) {
  EXPECT_EQ(
      reply("#define N 3\ntypedef struct { int v; } box; static int count = 0;\n"
            "box make(int v) { box b; b.v = v * N; count++; return b; }\nprintf(\"%d %d\", make(2).v, count + N);"),
      "6 3");
}

TEST_P(EveryStandard, WholeProgramIsTakenAsItIs) {
  EXPECT_EQ(reply(R"(int main(void){ puts("m"); return 7; })"), "m\n [Exit 7]");
  EXPECT_EQ(reply(R"(#include <stdio.h> int main(int argc, char **argv) { printf("%d", argc); return 0; })"), "1");
}

TEST_P(EveryStandard, CompilerMessagesAreTheReply) {
  EXPECT_EQ(reply("int x = 5; return y;"), "error: 'y' undeclared");
  EXPECT_EQ(reply("int x = 5;\n  return y;"), "prog.c:2:10: error: 'y' undeclared");
}

TEST_P(EveryStandard, WarningsComeFirst) {
  EXPECT_EQ(reply(R"(int x = 5; x * 2; printf("%d", x))"), "[warning: statement with no effect [-Wunused-value]]\n5");
}

TEST_P(EveryStandard, LastingRuntimeErrors) {
  EXPECT_EQ(reply(R"(int x = INT_MAX; x++; printf("%d\n", x);)"),
            "runtime error: signed integer overflow: 2147483647 + 1 cannot be represented in type 'int'\n -2147483648");
  EXPECT_THAT(reply("int *p = 0; int k = 7; *p = k;"),
              StartsWith("runtime error: store to null pointer of type 'int'\n "
                         "Program received signal SIGSEGV, Segmentation fault"));
}

TEST(C, ArgumentsAndInputReachTheProgram) {
  const CLanguage c11("c11");
  EXPECT_EQ(reply_to(c11, R"(-args "'a b' c" printf("%d %s|%s", argc, argv[1], argv[2]);)"), "3 a b|c");
  EXPECT_EQ(reply_to(c11, R"(char b[9]; while (fgets(b, 9, stdin)) printf("<%s>", b); -stdin one\ntwo)"),
            "<one\n><two\n>");
}

TEST(C, NewlineOutsideOfQuotesEndsADirective) {
  EXPECT_EQ(reply_to(CLanguage("c11"), R"(#define X 3\nprintf("%d\n", X);)"), "3");
  EXPECT_EQ(reply_to(CLanguage("c2x"), R"(#include <stdio.h>\nputs("a\\nb");)"), "a\\nb");
}

TEST(C, DirectivesHoldWhereTheyStand) {
  EXPECT_EQ(reply_to(CLanguage("c11"),
                     "#define X 1\nint f(void) { return X; }\nprintf(\"%d\", X);\n#undef X\n"
                     "#define X 2\nint g(void) { return X; }\nprintf(\"%d%d%d\", X, f(), g());\n"
                     "#if X == 2\nprintf(\"y\");\n#else\nprintf(\"n\");\n#endif"),
            "1212y");
}

TEST(C, SwallowedCodeIsTold) {
  EXPECT_THAT(reply_to(CLanguage("c11"), R"(#define X 3 printf("x");)"),
              AllOf(StartsWith("[warning: preprocessor directive not terminated by \\n, "), HasSubstr("Success")));
}

TEST(C, OptionsReplaceTheDefaultOnes) {
  const CLanguage c11("c11");
  EXPECT_EQ(reply_to(c11, "-O2 -std=c99 -info"), "c11 cmdline: gcc -gdwarf-2 -g3 prog.c -O2 -std=c99 -o prog");
  EXPECT_EQ(reply_to(c11, "-DX=4 printf(\"%d\", X);"), "4");
  EXPECT_EQ(reply_to(c11, "-D X=4 printf(\"%d\", X);"), "4");
}

TEST(C, InfoTellsTheDefaultCommand) {
  EXPECT_EQ(reply_to(CLanguage("c11"), "-info"),
            "c11 cmdline: gcc -gdwarf-2 -g3 prog.c -Wextra -Wall -Wno-unused-parameter -Wno-unused-variable -pedantic "
            "-Wfloat-equal -Wshadow -std=c11 -lm -Wfatal-errors -fsanitize=alignment,undefined "
            "-fsanitize-address-use-after-scope -fno-omit-frame-pointer -fno-diagnostics-show-caret -o prog");
  EXPECT_THAT(reply_to(CLanguage("c89"), "-info"), Not(HasSubstr("use-after-scope")));
}

TEST(C, WrappingCanBeTurnedOff) {
  EXPECT_THAT(reply_to(CLanguage("c11"), "-nomain puts(\"x\");"), HasSubstr("error: "));
  EXPECT_THAT(reply_to(CLanguage("c11"), "-noheaders uint8_t x;"), HasSubstr("unknown type name 'uint8_t'"));
  EXPECT_EQ(reply_to(CLanguage("c11"), "-include sys/stat.h printf(\"%d\", S_ISDIR(0));"), "0");
}

TEST(C, LinesPrintedBeforeAViolentEndAreThere) {
  EXPECT_EQ(reply_to(CLanguage("c11"), "puts(\"before\"); raise(SIGKILL);"), "before\n [Exit 137]");
  EXPECT_EQ(reply_to(CLanguage("c89"), "#include <stdio.h>\n#include <signal.h>\nputs(\"before\"); raise(SIGKILL);"),
            "before\n [Exit 137]");
}

TEST(C, NothingToRun) {
  EXPECT_EQ(reply_to(CLanguage("c11"), ""), usage_text());
}

TEST(C, GuestWithoutOurHeadersRunsTheSame) {
  const CLanguage c11("c11"), cpp("c++");
  for (const auto& [language, code] :
       {std::pair{&c11, "int x = 5; printf(\"%d %s\\n\", x, strchr(\"ab\", 'b')); x"}, std::pair{&c11, "int x = 5; x;"},
        std::pair{&cpp, "vector<int> v{5}; cout << v[0] << \" b\"; v"}}) {
    Request request;
    request.language = language->name();
    request.code = code;
    Job job = std::get<Job>(language->plan(request));
    for (Step& step : job.steps) step.environment.emplace_back("CPATH", "");
    const std::string reply = language->reply(request, testing::LocalRunner().run(job));
    EXPECT_THAT(reply, ::testing::AnyOf(::testing::EndsWith("5 b"), ::testing::EndsWith("Success (no output).")))
        << code;
  }
}

TEST(C, LimitDuringTheCompilationIsTold) {
  Request request;
  request.language = "c11";
  request.code = "x";
  Result result;
  result.limit = Limit::wall;
  result.output = {{0, Stream::err, "prog.c:1:1: warning: slow\n"}};
  EXPECT_EQ(CLanguage("c11").reply(request, result), "warning: slow [Timed-out]");
}

class Samples : public ::testing::TestWithParam<Sample> {};

INSTANTIATE_TEST_SUITE_P(
    Gcc, Samples,
    ::testing::Values(
        Sample{"StructForAFunction",
               R"(struct p { int x, y; } a = {1, 2}; int sum(struct p q) { return q.x + q.y; } printf("%d", sum(a));)",
               "3"},
        Sample{"LoopThenFunction",
               R"(for (int i = 0; i < 3; i++) { printf("%d", i); } int f(void) { return 9; } printf("%d", f());)",
               "0129"},
        Sample{"EnumForAFunction", R"(enum { A = 5, B }; int f(void) { return B; } printf("%d %d", A, f()))", "5 6"},
        Sample{"Recursion", R"(int fact(int n) { return n ? n * fact(n - 1) : 1; } printf("%d\n", fact(5)))", "120"},
        Sample{"TypeThatIsAMacro", "#define int long long\nint x = 5; x", "no output: x = 5 (long long)"},
        Sample{"BracesInStrings", R"(printf("}{;%s\n", "int f() {"); char c = '}'; putchar(c);)", "}{;int f() {\n}"},
        Sample{"DoWhile", R"(do { puts("once"); } while (0))", "once"},
        Sample{"Goto", R"(int i = 0; again: if (i++ < 2) goto again; else goto end; end: printf("%d", i))", "3"},
        Sample{"StaticVariable", R"(static int n = 4; void up(void) { n++; } up(); up(); printf("%d", n);)", "6"},
        Sample{"FunctionReturningAPointer",
               R"(int (*op(int k))(int) { (void)k; return abs; } printf("%d", op(1)(-3));)", "3"},
        Sample{"IfElse", R"(if (0) puts("no"); else puts("yes"))", "yes"},
        Sample{"Qsort",
               R"(int a[] = {3, 1, 2}; int cmp(const void *x, const void *y) { return *(int *)x - *(int *)y; } )"
               R"(qsort(a, 3, sizeof *a, cmp); for (int i = 0; i < 3; i++) printf("%d", a[i]);)",
               "123"},
        Sample{"CodeInComments", R"(/* int f() { */ puts("a"); // puts("b");)", "a"},
        Sample{"LinkedList",
               R"(typedef struct node { struct node *next; int v; } node; node *add(node *n, int v) )"
               R"({ node *m = malloc(sizeof *m); m->next = n; m->v = v; return m; } node *l = add(add(0, 1), 2); )"
               R"(for (; l; l = l->next) printf("%d ", l->v);)",
               "2 1"},
        Sample{"DirectiveInsideOfMain", R"(int main(void) { int x = 1; #define Y 5\nprintf("%d", x + Y); return 0; })",
               "6"},
        Sample{"TwoIncludesInALine", R"(#include <stdio.h> #include <string.h> printf("%zu", strlen("abc"));)", "3"},
        Sample{"LoopMacro", R"(#define FOREACH(i, n) for (int i = 0; i < n; i++)\nFOREACH(i, 3) { printf("%d", i); })",
               "012"},
        Sample{"Union", R"(union u { int i; unsigned char b[4]; } x; x.i = 1; printf("%d", x.b[0]);)", "1"},
        Sample{"Characters", R"(printf("%d%d", sizeof(char) == 1, 'a' == 97); return 2;)", "11 [Exit 2]"},
        Sample{"MathAndBool", R"(printf("%.2f %s", sqrt(2.0), true ? "t" : "f");)", "1.41 t"},
        Sample{"Complex", R"(double complex z = 1 + 2*I; printf("%.0f", cimag(z * z));)", "4"},
        Sample{"StaticAssertion", R"(_Static_assert(sizeof(int) == 4, "int"); puts("ok");)", "ok"},
        Sample{"LayoutOfAFile",
               "int f(void);\nint f(void)\n{\n  return 1;\n}\n\nint\nmain(void)\n{\n  return f();\n}\n", "Exit 1."},
        Sample{"PlaceOfAnError", "int f(void) { return 1; }\n\n  printf(\"%d\", f() + oops);",
               "prog.c:3:22: error: 'oops' undeclared"},
        Sample{"MissingHeader", "#include <nosuch.h>\nint x;",
               "prog.c:1:10: fatal error: nosuch.h: No such file or directory"},
        Sample{"BothStreams", "fprintf(stderr, \"err1\\nerr2\\n\"); printf(\"out1\\nout2\\n\");",
               "err1\nerr2\n out1\nout2"},
        Sample{"TooManyBrackets", "puts(\"x\")) ", "error: expected ';' before ')' token"},
        Sample{"Signal", "raise(SIGKILL);", "Exit 137."}),
    sample_name);

INSTANTIATE_TEST_SUITE_P(
    Values, Samples,
    ::testing::Values(
        Sample{"Size", "sizeof(int)", "no output: sizeof(int) = 4 (unsigned long)"},
        Sample{"Call", "int f(int a){return a*3;} f(4)", "no output: f(4) = 12 (int)"},
        Sample{"Void", "void f(void) {} f()", "Success (no output)."},
        Sample{"Assignment", "int x; x = 7", "no output: x = 7 (int)"},
        Sample{"CompoundAssignment", "int x = 2; x <<= 3;", "no output: x = 16 (int)"},
        Sample{"Increment", "int a[] = {1, 2, 3}; a[1]++", "no output: a[1] = 3 (int)"},
        Sample{"Array", "int a[] = {1, 2, 3};", "no output: a = {1, 2, 3} (int[3])"},
        Sample{"NameOfAnArray", "int a[5] = {1, 2, 3}; a", "no output: a = {1, 2, 3, 0, 0} (int[5])"},
        Sample{"NameOfATextWithoutAnEnd", "const char s[3] = {'a', 'b', 'c'}; s", "no output: s = \"abc\" (char[3])"},
        Sample{"NameOfRows", "int a[2][2] = {{1, 2}, {3, 4}}; a[1][0]", "no output: a[1][0] = 3 (int)"},
        Sample{"NameOfAStructure", "struct p { int a; } s = {4}; s", "no output: s = {a = 4} (struct p)"},
        Sample{"Text", "char s[9] = \"a\\n\\\"\";", "no output: s = \"a\\n\\\"\" (char[9])"},
        Sample{"Pointers", "char *s = \"abc\"; int *p = 0;", "no output: s = \"abc\" (char *); p = 0x0 (int *)"},
        Sample{"WildPointer", "char *s = (char *)8; s", "no output: s = 0x8 <cannot be read> (char *)"},
        Sample{"Character", "'a' + 0 == 97 ? (char)'a' : 'b'", "no output: 'a' + 0 == 97 ? (char)'a' : 'b' = 97 (int)"},
        Sample{"Boolean", "bool b = true;", "no output: b = true (bool)"},
        Sample{"FloatingPoint", "0.1 + 0.2", "no output: 0.1 + 0.2 = 0.30000000000000004 (double)"},
        Sample{"Complex", "double complex z = 1 + 2*I; z", "no output: z = 1 + 2i (complex double)"},
        Sample{"AfterALoop", "int sum = 0; for (int i = 0; i < 5; i++) sum += i;", "no output: sum = 10 (int)"},
        Sample{"SeveralVariables", "int a = 1, *p = NULL, b; unsigned char c = 'x';",
               "no output: a = 1 (int); p = 0x0 (int *); c = 120 'x' (unsigned char)"},
        Sample{"Structure", "struct p { int a; char *s; double d[2]; char t[9]; } q = {1, \"x\", {1, 2}, \"abc\"}; q",
               "no output: q = {a = 1, s = \"x\", d = {1, 2}, t = \"abc\"} (struct p)"},
        Sample{"StructureOfAFunction", "typedef struct { int a; } p; p f(int a) { p r = {a}; return r; } f(3)",
               "no output: f(3) = {a = 3} (p)"},
        Sample{"StructureThatIsNotPlain", "struct b { int x : 3; union { int i; } u; } v = {1, {2}}; v",
               "Success (no output)."},
        Sample{"EvaluatedOnce", "int n = 0; int f(void) { static int calls; return ++calls; } f(); f()",
               "no output: f() = 2 (int)"},
        Sample{"PrintedBefore", "puts(\"a\"); 5 + 5", "a"},
        Sample{"PrintedWithoutANewline", "printf(\"a\"); 5 + 5", "a"},
        Sample{"PrintedByTheExpression", "int f(void) { return printf(\"a\"); } f()", "a"},
        Sample{"PrintedToTheOtherStream", "fputs(\"a\", stderr); 5 + 5", "a"},
        Sample{"PrintedPastTheStreams", "write(1, \"a\", 1); 5 + 5", "a"},
        Sample{"PrintedByAChild", "system(\"echo a\"); 5 + 5", "a"},
        Sample{"ReturnIsNoValue", "int x = 5; return 3;", "Exit 3."},
        Sample{"OwnHeaders", "#include <string.h>\nstrlen(\"abc\")", "no output: strlen(\"abc\") = 3 (unsigned long)"},
        Sample{"MacrosOfTheAuthor", "#define text 3\n#define size 4\ntext * size", "no output: text * size = 12 (int)"},
        Sample{"StatementMacro", "#define TWICE(x) do { x; x; } while (0)\nint n = 0; TWICE(n++);",
               "no output: n = 2 (int)"},
        Sample{"TextOfTheExpression", "strlen(\"a??b\\\"%s\")",
               "no output: strlen(\"a??b\\\"%s\") = 7 (unsigned long)"},
        Sample{"MistakeIsToldOnce", "int x = 5; x + oops", "error: 'oops' undeclared"},
        Sample{"WarningIsToldOnce", "double d = 0.5; d == 0.5",
               "[warning: comparing floating-point with '==' or '!=' is unsafe [-Wfloat-equal]]\n"
               "no output: d == 0.5 = 1 (int)"}),
    sample_name);

INSTANTIATE_TEST_SUITE_P(
    Output, Samples,
    ::testing::Values(
        Sample{"Binary", R"(printf("%b %#b %08b\n",5,5,5);)", "101 0101 00000101"},
        Sample{"BinaryWithAnotherMistake", R"(printf("%b %d\n", 5, 1L);)",
               "[warning: format '%d' expects argument of type 'int', but argument 3 has type 'long int' [-Wformat=]]\n"
               "101 1"},
        Sample{"IncludedFunctions", R"(#include <stdio.h>\nvoid f(void) { puts("f"); } f();)", "f"},
        Sample{"Generic", R"(#define T(x) _Generic((x), int: "int", default: "other")\nputs(T(1)); puts(T(1.0));)",
               "int\nother"},
        Sample{
            "NestedFunctionPointerArray",
            R"(int one(void) { return 1; } int two(void) { return 2; } int (*f[])(void) = {one, two}; printf("%d", f[1]());)",
            "2"},
        Sample{"CommaAndTernary", R"(int a = (1, 2), b = a ? 3 : 4; printf("%d%d", a, b);)",
               "[warning: left-hand operand of comma expression has no effect [-Wunused-value]]\n23"},
        Sample{"VariableLengthArray", R"(int n = 3; int a[n]; a[2] = 9; printf("%d %zu", a[2], sizeof a / sizeof *a);)",
               "9 3"},
        Sample{"ContinuedDirective", "#define ADD(a, b) \\\n  ((a) + \\\n   (b))\nprintf(\"%d\", ADD(1, 2));", "3"},
        Sample{"Trailing", "puts(\"x\"); // the end", "x"}),
    sample_name);

TEST_P(Samples, ReplyAsTheAuthorExpects) {
  EXPECT_EQ(reply_to(CLanguage("c11"), GetParam().code), GetParam().reply);
}

}  // namespace
}  // namespace pbotvm::c

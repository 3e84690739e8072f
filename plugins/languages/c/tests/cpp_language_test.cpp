// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../../tests/local_runner.h"
#include "c_language.h"
#include "samples.h"

namespace pbotvm::c {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::reply_to;

class CppSamples : public ::testing::TestWithParam<Sample> {};

TEST_P(CppSamples, ReplyAsTheAuthorExpects) {
  EXPECT_EQ(reply_to(CLanguage("c++"), GetParam().code), GetParam().reply);
}

INSTANTIATE_TEST_SUITE_P(
    Statements, CppSamples,
    ::testing::Values(
        Sample{"NoHeaderNoNamespace", "cout << 1;", "1"},
        Sample{"NoSemicolon", R"(std::cout << "hello" << endl)", "hello"},
        Sample{"ContainersAndAlgorithms",
               "vector<int> v{3, 1, 2}; sort(v.begin(), v.end()); for (int i : v) cout << i << ' ';", "1 2 3"},
        Sample{"BracesInALoopsStatement", "for (auto x : vector<int>{1, 2}) cout << string{\"a\"} << x;", "a1a2"},
        Sample{"TryAndCatch", "try { throw 3; } catch (int e) { cout << e; } catch (...) { }", "3"},
        Sample{"WholeProgram", R"(#include <iostream> int main() { std::cout << "m"; return 3; })", "m [Exit 3]"},
        Sample{"StringIsNoFunction", R"(std::string s("x"); std::string t(3, 'y'); cout << s << t;)", "xyyy"},
        Sample{"TemplatesAreNoComparison", "std::map<std::string, std::vector<int>> m; cout << m.size();", "0"},
        Sample{"Lambda",
               "auto twice = [](auto f, int x) { return f(f(x)); }; cout << twice([](int y) { return y * 3; }, 2);",
               "18"},
        Sample{"ThreadSafeStatics", "static int n; auto up = [] { return ++n; }; up(); up(); cout << n;", "2"},
        Sample{"OutputOfC", R"(printf("%d\n", 3))", "3"},
        Sample{"SyncedOrNotOnlyWhatIsPrinted", "ios::sync_with_stdio(false); cout << \"x\"; 5;", "x"}),
    sample_name);

INSTANTIATE_TEST_SUITE_P(
    Definitions, CppSamples,
    ::testing::Values(
        Sample{"ConstructorWithInitializers",
               "struct P { int x, y; P(int a, int b) : x(a), y{b} {} int sum() const { return x + y; } }; P p(1, 2); "
               "cout << p.sum();",
               "3"},
        Sample{"MembersOutsideOfTheirClass",
               "class A { int v; public: explicit A(int); ~A(); int get() const noexcept; static int count; }; "
               "A::A(int x) : v(x) {} A::~A() { cout << 'd'; } int A::get() const noexcept { return v; } "
               "int A::count = 4; cout << A(3).get() << A::count;",
               "34d"},
        Sample{
            "Operators",
            "struct V { int x; }; V operator+(V a, V b) { return {a.x + b.x}; } bool operator<(const V& a, const V& b) "
            "{ return a.x < b.x; } ostream& operator<<(ostream& o, const V& v) { return o << v.x; } "
            "cout << V{1} + V{2} << (V{1} < V{2});",
            "31"},
        Sample{"CallAndConversionOperators",
               "struct A { operator bool() const { return true; } int operator()(int x) { return x; } "
               "int operator[](int i) { return i; } }; A a; cout << a(3) + a[4];",
               "7"},
        Sample{"Templates",
               "template <class T, int N = 2> struct B { T v[N]; T sum() const { T s{}; for (T x : v) s += x; return "
               "s; } };"
               " template <typename... T> int count(T...) { return sizeof...(T); } cout << B<int>{{1, 2}}.sum() << "
               "count(1, 2, 3);",
               "33"},
        Sample{"TrailingReturnType",
               "template <class T> auto twice(T x) -> decltype(x + x) { return x + x; } cout << twice(4);", "8"},
        Sample{
            "NamespacesAndAliases",
            "namespace a::b { int f() { return 3; } } namespace c = a::b; using V = std::vector<int>; cout << c::f() "
            "<< V(2).size();",
            "[warning: nested namespace definitions only available with '-std=c++17' or '-std=gnu++17' "
            "[-Wc++17-extensions]]\n32"},
        Sample{
            "Inheritance",
            "struct A { virtual int f() = 0; virtual ~A() = default; }; struct B final : public A { int f() override { "
            "return 4; } }; unique_ptr<A> a(new B); cout << a->f();",
            "4"},
        Sample{"MutualRecursion",
               "bool odd(int n); bool even(int n) { return n == 0 || odd(n - 1); } bool odd(int n) { return n != 0 && "
               "even(n - 1); } cout << even(10);",
               "1"},
        Sample{"FunctionTryBlock", "int f() try { throw 1; } catch (int e) { return e + 1; } cout << f();", "2"},
        Sample{"EnumClass", "enum class E : char { A = 'x' }; cout << static_cast<char>(E::A);", "x"},
        Sample{"ConstantsServeFunctions",
               "const int n = 3; constexpr int m = n + 1; int f() { return n * m; } cout << f();", "12"},
        Sample{"LinkageBlock", "extern \"C\" { int f() { return 1; } } cout << f();", "1"},
        Sample{"UserDefinedLiteral",
               "unsigned long long operator\"\"_k(unsigned long long x) { return x * 1000; } cout << 5_k;", "5000"},
        Sample{"FunctionMacro", "#define FN(n) int n()\nFN(g) { return 1; } cout << g();", "1"}),
    sample_name);

INSTANTIATE_TEST_SUITE_P(
    Tokens, CppSamples,
    ::testing::Values(
        Sample{"RawString", "cout << R\"(a\"b;{)\" << R\"x(})\")x\";", "a\"b;{})\""},
        Sample{"RawStringOfLines", "cout << R\"(a\n#define x }\n)\" << 1;", "a\n#define x }\n1"},
        Sample{"Digraphs", "int a<:2:> = <%1, 2%>; cout << a<:1:>;", "2"},
        Sample{"AngleBeforeScope", "struct X {}; vector<::X> v(2); cout << v.size();", "2"},
        Sample{"ContinuedLines", "int lo\\\nng_name = 3; cout << long_\\\nname; // x \\\n y", "3"},
        Sample{"DigitSeparators", "cout << 1'000'000 << 'x';", "1000000x"},
        Sample{"ClosingAngles", "vector<vector<int>> v(2); cout << (v.size() >> 1);", "1"},
        Sample{"Attributes", "[[noreturn]] void f() { exit(4); } [[maybe_unused]] int x; f();", "Exit 4."},
        Sample{"CommentsEverywhere", "int f(/* { */ int a // }\n) { return a; /* } */ } cout << f(2) /* ; */", "2"}),
    sample_name);

INSTANTIATE_TEST_SUITE_P(
    Values, CppSamples,
    ::testing::Values(
        Sample{"Vector", "vector<int> v{1, 2}; v", "no output: v = {1, 2} (std::vector<int>)"},
        Sample{"Declaration", "std::vector<int> v{1, 2};", "no output: v = {1, 2} (std::vector<int>)"},
        Sample{"Map", "map<string, int> m; m[\"a\"] = 1; m",
               "no output: m = {[\"a\"] = 1} (std::map<std::string, int>)"},
        Sample{"Comparison", "int a = 1, b = 2; a < b && b > 0", "no output: a < b && b > 0 = true (bool)"},
        Sample{"Tuple", "tuple<int, string> t(1, \"a\"); t",
               "no output: t = {1, \"a\"} (std::tuple<int, std::string>)"},
        Sample{"Void", "void f() {} f()", "Success (no output)."},
        Sample{"Enumeration", "enum class E { A, B }; E::B", "no output: E::B = 1 (E)"},
        Sample{"OwnOutputOperator",
               "struct P { int x; }; ostream& operator<<(ostream& o, const P& p) { return o << \"P\" << p.x; } P{3}",
               "no output: P{3} = P3 (P)"},
        Sample{"Structure", "struct P { int x; string s; P(int a) : x(a) {} int f() { return x; } }; P p(3); p",
               "no output: p = {x = 3, s = \"\"} (P)"},
        Sample{"Structures", "struct P { int x; }; vector<P> v{{1}, {2}}; v",
               "no output: v = {{x = 1}, {x = 2}} (std::vector<P>)"},
        Sample{"UnknownClass", "struct P { int x; P() : x(1) {} private: int y; }; P()", "Success (no output)."},
        Sample{"VirtualFunctions", "struct A { virtual int f() { return 4; } virtual ~A() {} }; A* a = new A; a->f()",
               "no output: a->f() = 4 (int)"},
        Sample{"EvaluatedOnce", "int n = 0; auto f = [&] { return ++n; }; f(); f()", "no output: f() = 2 (int)"},
        Sample{"OwnHeaders", "#include <vector>\nstd::vector<int> v{1, 2}; v",
               "no output: v = {1, 2} (std::vector<int>)"},
        Sample{"MacrosOfTheAuthor", "#include <set>\n#define T 3\n#define size_ 4\nstd::set<char> s{'a'}; s",
               "no output: s = {97 'a'} (std::set<char>)"},
        Sample{"BitField", "struct { unsigned b : 3; } s{5}; s.b", "no output: s.b = 5 (unsigned int)"},
        Sample{"PrintedBySomebodyElse", "system(\"echo child\"); 5", "child"},
        Sample{"ShortestDouble", "0.1 + 0.2", "no output: 0.1 + 0.2 = 0.30000000000000004 (double)"}),
    sample_name);

INSTANTIATE_TEST_SUITE_P(
    Mistakes, CppSamples,
    ::testing::Values(
        Sample{"Undeclared", "int y = zz;", "error: 'zz' was not declared in this scope"},
        Sample{"NoSuchMember", "vector<int> v; v.foo();", "error: 'class std::vector<int>' has no member named 'foo'"},
        Sample{"PlaceOfTheCause", "list<int> l;\nint x = 0;\nsort(l.begin(), l.end());",
               "prog.cpp:3:5: error: no match for 'operator-' (operand types are 'std::_List_iterator<int>' and "
               "'std::_List_iterator<int>')"},
        Sample{"PlaceInAFunction", "int f() {\n  return oops;\n}\nf()",
               "prog.cpp:2:10: error: 'oops' was not declared in this scope"},
        Sample{"PlaceInAnExpression", "int x = 1;\nx +\n  oops",
               "prog.cpp:3:3: error: 'oops' was not declared in this scope"},
        Sample{"LinkerTellsTheName", "int f(); int g() { return f(); } g()", "undefined reference to `f()'"},
        Sample{"Uncaught", "throw runtime_error(\"why\")",
               "terminate called after throwing an instance of 'std::runtime_error'\n  what():  why\n Program received "
               "signal "
               "SIGABRT, Aborted"}),
    sample_name);

TEST(Cpp, StandardsAreLanguages) {
  EXPECT_EQ(reply_to(CLanguage("c++20"),
                     "template <class T> concept Small = sizeof(T) < 3; template <Small T> int f(T) { return 1; } "
                     "template <class T> requires (!Small<T>) int f(T) { return 2; } cout << f('a') << f(1);"),
            "12");
  EXPECT_EQ(reply_to(CLanguage("c++17"), "auto [a, b] = pair(1, 2); a + b"), "no output: a + b = 3 (int)");
  EXPECT_EQ(reply_to(CLanguage("c++23"), "cout << (__cplusplus > 202002L);"), "1");
}

TEST(Cpp, NotesOfOthersAreLeftOut) {
  const std::string reply = reply_to(CLanguage("c++"), "-std=c++17 struct P {}; cout << P();");
  EXPECT_THAT(reply, HasSubstr("error: no match for 'operator<<'"));
  EXPECT_THAT(reply, Not(HasSubstr("/usr/")));
  EXPECT_LT(reply.size(), 1500u);
}

class Clang : public ::testing::TestWithParam<Sample> {};

INSTANTIATE_TEST_SUITE_P(
    Cpp, Clang,
    ::testing::Values(Sample{"Prints", "cout << 1;", "1"},
                      Sample{"Value", "vector<int> v{1}; v", "no output: v = {1} (std::vector<int>)"},
                      Sample{"String", "string s = \"a\"; s + \"b\"", "no output: s + \"b\" = \"ab\" (std::string)"},
                      Sample{"Undeclared", "int y = zz;", "error: use of undeclared identifier 'zz'"},
                      Sample{
                          "PlaceOfTheCause", "list<int> l;\nsort(l.begin(), l.end());",
                          "prog.cpp:2:1: error: invalid operands to binary expression ('std::_List_iterator<int>' and "
                          "'std::_List_iterator<int>')"}),
    sample_name);

TEST_P(Clang, ReplyAsTheAuthorExpects) {
  EXPECT_EQ(reply_to(CLanguage("clang++"), GetParam().code), GetParam().reply);
}

}  // namespace
}  // namespace pbotvm::c

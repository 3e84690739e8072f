// SPDX-License-Identifier: MIT
#include "history/editing.h"

#include <gtest/gtest.h>

#include <chrono>

namespace pbotvm::history {
namespace {

// The code after the edits that a text consists of, or the error's text.
std::string edit(std::string code, const std::string& text) {
  const auto meant = parse_edits(text);
  if (!std::holds_alternative<Edits>(meant)) return "not an edit";
  try {
    for (const auto& change : std::get<Edits>(meant).changes) code = changed(code, change, Patience::Time::max());
  } catch (const EditError& e) {
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
    return e.what();
  }
  return code;
}

struct Case {
  std::string code, text, result;
};

const std::vector<Case> replacements = {
    Case{"a + a + a", "replace 'a' with 'b'", "b + a + a"},
    Case{"a + a + a", "replace second 'a' with 'b'", "a + b + a"},
    Case{"a + a + a", "replace last 'a' with 'b'", "a + a + b"},
    Case{"a + a + a", "replace all 'a' with 'b'", "b + b + b"},
    Case{"a a", "replace third 'a' with 'b'", "'a' is in the code only twice."},
    Case{"x", "replace 'a' with 'b'", "'a' is not in the code."},
    // Words are whole words; other characters may stand anywhere.
    Case{"int i = 5;", "replace 'i' with 'k'", "int k = 5;"}, Case{"int i;", "replace all 'i' with 'k'", "int k;"},
    Case{"i_ _i i2 2i i", "replace 'i' with 'k'", "i_ _i i2 2i k"},
    Case{"abc", "replace 'b' with 'x'",
         "'b' stands in the code only as a part of longer words; name a whole word, or use s/regex/text/."},
    Case{"f(abc)", "replace '(a' with '[a'",
         "'(a' stands in the code only as a part of longer words; name a whole word, or use s/regex/text/."},
    Case{"f(abc)", "replace 'f(' with 'g('", "g(abc)"}, Case{"a+=b", "replace '+' with '-'", "a-=b"},
    Case{"a.b", "replace '.' with '->'", "a->b"}, Case{"x;;y", "replace all ';' with ','", "x,,y"},
    Case{"aaa", "replace 'aaa' with 'b'", "b"}, Case{"xaa aa", "replace 'aa' with 'b'", "xaa b"},
    Case{"caf\xc3\xa9 caf", "replace 'caf' with 'bar'", "caf\xc3\xa9 bar"},
    Case{"x\xe2\x86\x92y", "replace 'x' with 'z'", "z\xe2\x86\x92y"},
    Case{"puts(\"a\\n\")", R"(replace '\n' with '!')", "puts(\"a!\")"}, Case{"a b c", "remove 'b '", "a c"},
    Case{"a b a", "remove all 'a'", " b "}, Case{"a", "prepend 'x' and append 'y'", "x a y"},
    Case{"$1", "replace '$1' with '$2'", "$2"}, Case{"a.b", "replace 'a.b' with '\\1'", "\\1"}};

const std::vector<Case> substitutions = {
    Case{"aXbX", "s/X/-/", "a-bX"},
    Case{"aXbX", "s/X/-/g", "a-b-"},
    Case{"aXbx", "s/x/-/gi", "a-b-"},
    Case{"abc", "s/b//", "ac"},
    Case{"f(1, 2)", R"(s/(\d), (\d)/$2, \1/)", "f(2, 1)"},
    Case{"abc", "s/b/[$&]/", "a[b]c"},
    Case{"echo", "s/echo/echo $1 \\1 $9/", "echo $1 \\1 $9"},
    Case{"a b", R"(s/(a)/$1$2/)", "a$2 b"},
    Case{"abc", "s/x*/-/g", "-a-b-c-"},
    Case{"bb", "s/b*/x/g", "x"},
    Case{"\xc3\xa9\xc3\xa9", "s/x*/-/g", "-\xc3\xa9-\xc3\xa9-"},
    Case{"\xc3\xa9", "s/./e/", "e"},
    Case{"a\nb", R"(s/\n/;/)", "a;b"},
    Case{"a", R"(s/a/\n/)", R"(\n)"},
    Case{"/usr", "s|/usr|/opt|", "/opt"},
    Case{"foobar", "s/foo/x/ and s/bar/y/", "xy"},
    Case{"ab", "s/^/x/", "xab"},
    Case{"ab", "s/$/x/", "abx"},
    Case{"a b", R"(s/\bb\b/c/)", "a c"},
    Case{"aaa", "s/^a/b/g", "baa"},
    Case{"x", "s/x/$$&/", "$x"},
    Case{"abc", "s/z/y/", "The regular expression 'z' matches nothing in the code."}};

TEST(Substitution, SaysWhatIsWrongWithARegularExpressionAndWhere) {
  const auto error = [](const std::string& text) { return edit("abc", text); };
  EXPECT_NE(error("s/a(b/x/").find("missing )"), std::string::npos) << error("s/a(b/x/");
  EXPECT_NE(error("s/ab[z-a]/x/").find("at character 4"), std::string::npos) << error("s/ab[z-a]/x/");
  EXPECT_NE(error("s/a(?=b)/x/").find("at character 2 (look-ahead"), std::string::npos) << error("s/a(?=b)/x/");
  EXPECT_NE(error(R"(s/(a)\1/x/)").find("back-references are not"), std::string::npos) << error(R"(s/(a)\1/x/)");
  EXPECT_NE(error("s/a**/x/").find("cannot be used"), std::string::npos) << error("s/a**/x/");
}

// What takes backtracking matchers ages.
TEST(Substitution, IsNotSlowedByHostileExpressions) {
  const auto begun = std::chrono::steady_clock::now();
  const std::string text(200'000, 'a');
  for (const std::string expression :
       {"(a+)+$b", "(a|aa)*c", "(a*)*b", "(.*)(.*)(.*)(.*)(.*)x", "(a?){50}(a){50}c", "((a{1,100}){1,100}){1,100}b",
        "(x+x+)+y", "a{1000}{1000}", "(a.*b)|a", "((((((((((a)))))))))){500}"}) {
    for (const std::string flags : {"", "g", "gi"}) edit(text, "s/" + expression + "/z/" + flags);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::minutes(4));
}

TEST(Substitution, TakesNoEndlessExpression) {
  EXPECT_NE(edit("a", "s/" + std::string(5000, '(') + "/b/").find("longer than"), std::string::npos);
  EXPECT_NE(edit("a", "s/((a{900}){900})/b/").find("cannot be used"), std::string::npos);
  EXPECT_NE(edit(std::string(1 << 20, 'b'), "s/(a{0,30}c){0,30}/b/").find("too large"), std::string::npos);
}

TEST(Editing, BoundsWhatComesOfIt) {
  const std::string large(600 * 1024, 'a');
  EXPECT_NE(edit(large, "s/a/aa/g").find("larger than 1024 KiB"), std::string::npos);
  EXPECT_NE(edit(std::string(1000, 'a'), "s/a/" + std::string(2000, 'b') + "/g").find("larger than"),
            std::string::npos);
  EXPECT_NE(edit(large, "append '" + large + "'").find("larger than"), std::string::npos);
  EXPECT_NE(edit(large, "prepend '" + large + "'").find("larger than"), std::string::npos);
  std::string commas(1000, ',');
  EXPECT_NE(edit(commas, "replace all ',' with '" + std::string(2000, 'b') + "'").find("larger than"),
            std::string::npos);
  // Doubling again and again.
  std::string doubling = "s/(.+)/$1$1/";
  for (int i = 0; i < 25; ++i) doubling += " s/(.+)/$1$1/";
  EXPECT_NE(edit("abc", doubling).find("larger than"), std::string::npos);
}

void expect_results(const std::vector<Case>& cases) {
  for (const auto& [code, text, result] : cases) EXPECT_EQ(edit(code, text), result) << text << " of " << code;
}

TEST(Editing, ReplacesWholeWordsAndOtherCharactersAnywhere) {
  expect_results(replacements);
}
TEST(Editing, SubstitutesByRegularExpressions) {
  expect_results(substitutions);
}

}  // namespace
}  // namespace pbotvm::history

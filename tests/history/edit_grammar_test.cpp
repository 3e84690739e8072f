// SPDX-License-Identifier: MIT
#include "history/edit_grammar.h"

#include <gtest/gtest.h>

#include <random>

namespace pbotvm::history {
namespace {

using Kind = Which::Kind;

constexpr Which first{}, all{Kind::all, 1}, last{Kind::last, 1};

Which nth(std::uint32_t n) {
  return {Kind::nth, n};
}

Edits only(Change change) {
  Edits edits;
  edits.changes.push_back(std::move(change));
  return edits;
}

Edits chain(std::vector<Change> changes, Ending ending = Ending::run) {
  Edits edits;
  edits.changes = std::move(changes);
  edits.ending = ending;
  return edits;
}

Edits ending(Ending how, std::optional<std::string> channel = {}) {
  Edits edits;
  edits.ending = how;
  edits.of_channel = std::move(channel);
  return edits;
}

Edits undo(std::uint32_t times, Ending how = Ending::show) {
  Edits edits;
  edits.undo = times;
  edits.ending = how;
  return edits;
}

Edits copy(std::string channel, Ending how = Ending::show) {
  Edits edits;
  edits.copy_from = std::move(channel);
  edits.ending = how;
  return edits;
}

Change sub(std::string regex, std::string text, bool everywhere = false, bool ignore_case = false) {
  return Substitute{std::move(regex), std::move(text), everywhere, ignore_case};
}

struct Case {
  std::string text;
  Edits edits;
};

const std::vector<Case> endings = {Case{"show", ending(Ending::show)},
                                   Case{"  Show \n", ending(Ending::show)},
                                   Case{"run", ending(Ending::run)},
                                   Case{"again", ending(Ending::run)},
                                   Case{"RUN", ending(Ending::run)},
                                   Case{"paste", ending(Ending::paste)},
                                   Case{"diff", ending(Ending::diff)},
                                   Case{"show #c", ending(Ending::show, "#c")},
                                   Case{"diff ##c-offtopic", ending(Ending::diff, "##c-offtopic")},
                                   Case{"undo", undo(1)},
                                   Case{"undo 3", undo(3)},
                                   Case{"undo undo", undo(2)},
                                   Case{"undo and undo 2 and undo", undo(4)},
                                   Case{"undo and run", undo(1, Ending::run)},
                                   Case{"undo run", undo(1, Ending::run)},
                                   Case{"undo 2 and diff", undo(2, Ending::diff)},
                                   Case{"copy #c", copy("#c")},
                                   Case{"copy bob and run", copy("bob", Ending::run)},
                                   Case{"copy and and run", copy("and", Ending::run)},
                                   Case{"copy ##c paste", copy("##c", Ending::paste)}};

const std::vector<Case> replacements = {
    Case{"replace 'a' with 'b'", only(Replace{first, "a", "b"})},
    Case{"replace \"a\" with \"b\"", only(Replace{first, "a", "b"})},
    Case{"replace'a'with'b'", only(Replace{first, "a", "b"})},
    Case{"REPLACE First 'a' WITH 'b'", only(Replace{first, "a", "b"})},
    Case{"replace second 'a' with 'b'", only(Replace{nth(2), "a", "b"})},
    Case{"replace third 'a' with 'b'", only(Replace{nth(3), "a", "b"})},
    Case{"replace ninth 'a' with 'b'", only(Replace{nth(9), "a", "b"})},
    Case{"replace nineth 'a' with 'b'", only(Replace{nth(9), "a", "b"})},
    Case{"replace tenth 'a' with 'b'", only(Replace{nth(10), "a", "b"})},
    Case{"replace last 'a' with 'b'", only(Replace{last, "a", "b"})},
    Case{"replace all 'a' with ''", only(Replace{all, "a", ""})},
    Case{R"(replace 'don\'t' with "do not")", only(Replace{first, "don't", "do not"})},
    Case{R"(replace '\n' with '\\n')", only(Replace{first, R"(\n)", R"(\\n)"})},
    Case{"replace 'x and y' with 'y and x'", only(Replace{first, "x and y", "y and x"})},
    Case{"replace 'a\nb' with 'c'", only(Replace{first, "a\nb", "c"})},
    Case{"remove 'a'", only(Replace{first, "a", ""})},
    Case{"remove all 'a'", only(Replace{all, "a", ""})},
    Case{"prepend 'int x;'", only(Prepend{"int x;"})},
    Case{"append ''", only(Append{""})},
    Case{"append \"it's\"", only(Append{"it's"})}};

const std::vector<Case> substitutions = {Case{"s/a/b/", only(sub("a", "b"))},
                                         Case{"s/a/b/g", only(sub("a", "b", true))},
                                         Case{"s/a/b/i", only(sub("a", "b", false, true))},
                                         Case{"s/a/b/gi", only(sub("a", "b", true, true))},
                                         Case{"s/a/b/ig", only(sub("a", "b", true, true))},
                                         Case{"s/a//", only(sub("a", ""))},
                                         Case{"s/a b/c and d/", only(sub("a b", "c and d"))},
                                         Case{"s|/usr|/opt|", only(sub("/usr", "/opt"))},
                                         Case{"s#a#b#", only(sub("a", "b"))},
                                         Case{"s,a,b,g", only(sub("a", "b", true))},
                                         Case{"s!a!b!", only(sub("a", "b"))},
                                         Case{R"(s/a\/b/c\/d/)", only(sub("a/b", "c/d"))},
                                         Case{R"(s|a\|b|c|)", only(sub(R"(a\|b)", "c"))},
                                         Case{R"(s/(\d+)/$1\n/)", only(sub(R"((\d+))", R"($1\n)"))}};

const std::vector<Case> chains = {
    Case{"s/a/b/ and s/c/d/g", chain({sub("a", "b"), sub("c", "d", true)})},
    Case{"s/a/b/ s/c/d/", chain({sub("a", "b"), sub("c", "d")})},
    Case{"replace 'a' with 'b' and 'c' with 'd'", chain({Replace{first, "a", "b"}, Replace{first, "c", "d"}})},
    Case{"remove all 'a' and 'b' and append 'c' and 'd'",
         chain({Replace{all, "a", ""}, Replace{first, "b", ""}, Append{"c"}, Append{"d"}})},
    Case{"prepend 'x' AND show", chain({Prepend{"x"}}, Ending::show)},
    Case{"append 'x' and diff", chain({Append{"x"}}, Ending::diff)},
    Case{"append 'x' run", chain({Append{"x"}}, Ending::run)}};

const std::vector<std::string> codes = {
    "", "   ", "printf(\"hi\\n\");", "int x = 5; x * 2", "run the tests", "running", "show()", "show me the code",
    "undo x", "undo; run", "diff a b", "diff -u a b", "paste -sd, f", "copy", "again;", "run && echo", "and run",
    "copy a b", "replace(x, 'a', 'b')", "replace = 'a'", "append x 'y'", "appendix 'a'", "prepend('a')",
    "remove(\"file\");", "replace foo with bar", "echo run",
    // Substitutions of the language's own, and expressions.
    "s/a/b/ for @lines; print @lines", "s/a/b/;", "s/2/3;", "s/a/b/ + 1", "s*a*b*g", "s;a;b;", "s=a=b=", "s.a.b.g",
    "s+a+b+i", "s = 5", "s", "s/", "s-a-b-", "s[0]", "sum/a/b/", "s|a", "s|a|wc -l", "s/x/y/gggggg+1", "S/a/b/"};

struct Bad {
  std::string text, part;
};

const std::vector<Bad> mistakes_and_texts = {Bad{"replace 'a' wiht 'b'", "Expected 'with' behind 'a' instead of 'wiht"},
                                             Bad{"replace 'a'", "Expected 'with'"},
                                             Bad{"replace 'a' with b", "in quotes behind 'with'"},
                                             Bad{"replace 'a' with 'b", "The quote ' is not closed"},
                                             Bad{"append 'don't'", "instead of 't''; write \\' for a quote"},
                                             Bad{"remove \"a", "The quote \" is not closed"},
                                             Bad{"replace twelfth 'a' with 'b'", "Unknown position 'twelfth'"},
                                             Bad{"remove ''", "nothing between the quotes"},
                                             Bad{"append 'a' and", "must follow 'and'"},
                                             Bad{"append 'a' and dance", "instead of 'dance'"},
                                             Bad{"prepend 'a' xyz", "instead of 'xyz'"},
                                             Bad{"s/a/b", "not closed"},
                                             Bad{"s/a/b/x", "only g"},
                                             Bad{"s//b/", "is empty"},
                                             Bad{"s/}/; }", "not closed"},
                                             Bad{"s/{/{ int x;", "not closed"},
                                             Bad{"s/x;/x; }/} y", "Expected a blank or the end"},
                                             Bad{"append 'a' and s/a/b", "not closed"},
                                             Bad{"run and s/a/b/", "stand last"},
                                             Bad{"s/a/b/ and undo", "undo stands first"},
                                             Bad{"copy #c and undo", "undo stands first"},
                                             Bad{"undo and copy #c", "copy stands first"},
                                             Bad{"s/a/b/ and show #c", "stand alone"},
                                             Bad{"undo 0", "from 1 to"},
                                             Bad{"undo 99999999999999999999", "from 1 to"},
                                             Bad{"append 'a' and s/a/b/\x01\x1b", "Expected a blank"},
                                             Bad{"append 'a' and " + std::string(500, 'x'), "...'"}};

TEST(EditGrammar, LeavesSubstitutionsToLanguagesWhoseProgramsTheyAre) {
  const EditReading sed{false, true};
  EXPECT_TRUE(std::holds_alternative<NotAnEdit>(parse_edits("s/a/b/", sed)));
  EXPECT_TRUE(std::holds_alternative<Edits>(parse_edits("replace 'a' with 'b'", sed)));
  const EditReading bc{true, false};
  EXPECT_TRUE(std::holds_alternative<NotAnEdit>(parse_edits("s/a/b", bc)));
  EXPECT_TRUE(std::holds_alternative<NotAnEdit>(parse_edits("s/a/b/x", bc)));
  EXPECT_TRUE(std::holds_alternative<Edits>(parse_edits("s/a/b/", bc)));
}

TEST(EditGrammar, BoundsTheEditsOfARequest) {
  std::string text = "append 'a'";
  for (std::size_t i = 1; i < max_changes; ++i) text += " and 'a'";
  ASSERT_TRUE(std::holds_alternative<Edits>(parse_edits(text)));
  EXPECT_TRUE(std::holds_alternative<EditMistake>(parse_edits(text + " and 'a'")));
  EXPECT_TRUE(
      std::holds_alternative<EditMistake>(parse_edits(text + std::string(100, ' ') + "and s/a/b/ and run and run")));
}

// Fixed seed: the same texts every time.
TEST(EditGrammar, ReadsWhateverComes) {
  const std::vector<std::string> pieces = {
      "s/",     "/",   "s|",    "|",    "g",    "i",    " and ", " ", "'", "\"", "\\",       "replace", "with", "undo",
      "remove", "all", "first", "show", "diff", "copy", "run",   "3", "x", "\n", "\xc3\xa9", "append",  "#"};
  std::mt19937 random(20261121);
  std::size_t edits = 0, mistakes = 0;
  for (int round = 0; round < 100'000; ++round) {
    std::string text;
    for (auto count = random() % 12; count > 0; --count) text += pieces[random() % pieces.size()];
    const auto meant = parse_edits(text, {random() % 8 != 0, random() % 8 != 0});
    if (const auto* mistake = std::get_if<EditMistake>(&meant)) {
      ++mistakes;
      ASSERT_FALSE(mistake->text.empty()) << text;
      ASSERT_EQ(mistake->text.find('\n'), std::string::npos) << text;
    } else if (const auto* found = std::get_if<Edits>(&meant)) {
      ++edits;
      ASSERT_LE(found->changes.size(), max_changes);
    }
  }
  EXPECT_GT(edits, 100u);
  EXPECT_GT(mistakes, 100u);
}

void expect_edits(const std::vector<Case>& cases) {
  for (const auto& [text, edits] : cases) {
    SCOPED_TRACE(text);
    const auto meant = parse_edits(text);
    const auto* mistake = std::get_if<EditMistake>(&meant);
    ASSERT_TRUE(std::holds_alternative<Edits>(meant)) << (mistake == nullptr ? "ordinary code" : mistake->text);
    EXPECT_EQ(std::get<Edits>(meant), edits);
  }
}

TEST(EditGrammar, ReadsWhatShowsRunsAndTakesBack) {
  expect_edits(endings);
}
TEST(EditGrammar, ReadsReplacements) {
  expect_edits(replacements);
}
TEST(EditGrammar, ReadsSubstitutions) {
  expect_edits(substitutions);
}
TEST(EditGrammar, ReadsSeveralJoinedByAnd) {
  expect_edits(chains);
}

TEST(EditGrammar, LeavesCodeAlone) {
  for (const auto& text : codes) EXPECT_TRUE(std::holds_alternative<NotAnEdit>(parse_edits(text))) << text;
}

TEST(EditGrammar, SaysHowAnEditIsWrittenThatCannotBeCode) {
  for (const auto& [text, part] : mistakes_and_texts) {
    SCOPED_TRACE(text);
    const auto meant = parse_edits(text);
    ASSERT_TRUE(std::holds_alternative<EditMistake>(meant));
    const auto& reply = std::get<EditMistake>(meant).text;
    EXPECT_NE(reply.find(part), std::string::npos) << reply;
    EXPECT_EQ(reply.find('\n'), std::string::npos);
    EXPECT_EQ(reply.back(), '.');
    EXPECT_LT(reply.size(), 300u);
  }
}

}  // namespace
}  // namespace pbotvm::history

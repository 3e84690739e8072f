// SPDX-License-Identifier: MIT
#include "history/code_parts.h"

#include <gmock/gmock.h>

namespace pbotvm::history {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(CodeParts, AreOptionsCodeAndInput) {
  const auto parts = take_apart("-O2 -args \"a 'b' c\" -Wall int x;  x + 1  -stdin 5 6");
  EXPECT_THAT(parts.options, ElementsAre("-O2", "-args \"a 'b' c\"", "-Wall"));
  EXPECT_EQ(parts.code, "int x;  x + 1");
  EXPECT_EQ(parts.input, "-stdin 5 6");
  EXPECT_EQ(put_together(parts), "-O2 -args \"a 'b' c\" -Wall int x;  x + 1 -stdin 5 6");
}

TEST(CodeParts, LeaveOrdinaryCodeAsItIs) {
  for (const std::string text :
       {"echo hi", " -x echo", "-5 + 3", "echo '-stdin x'", "a\n  b", "echo a-stdin b", "- x"}) {
    const auto parts = take_apart(text);
    EXPECT_THAT(parts.options, IsEmpty()) << text;
    EXPECT_THAT(parts.input, IsEmpty()) << text;
    EXPECT_EQ(parts.code, text);
    EXPECT_EQ(put_together(parts), text);
  }
}

TEST(CodeParts, TakeTheValueOfAnOptionThatHasOne) {
  const OptionReading reading{true, {"-o", "-include"}};
  EXPECT_THAT(take_apart("-o pipefail run", reading).options, ElementsAre("-o pipefail"));
  EXPECT_THAT(take_apart("-include 'a b.h' -O run", reading).options, ElementsAre("-include 'a b.h'", "-O"));
  EXPECT_EQ(take_apart("-l print 1", reading).code, "print 1");
  EXPECT_EQ(take_apart("-o x").code, "x");
}

TEST(CodeParts, AreCodeWhereTheLanguageTakesNoOptions) {
  const OptionReading reading{false, {}};
  const auto parts = take_apart("-info -args 'a b' -x + 1", reading);
  EXPECT_THAT(parts.options, ElementsAre("-info", "-args 'a b'"));
  EXPECT_EQ(parts.code, "-x + 1");
}

TEST(CodeParts, AnApostropheDoesNotHideTheInput) {
  EXPECT_EQ(take_apart("cat # it's\nx -stdin y").input, "-stdin y");
  EXPECT_EQ(take_apart("-stdin y").code, "");
}

TEST(CodeParts, GiveUpWhatIsMeantForOneRequest) {
  auto parts = take_apart("-paste -O2 -info run");
  EXPECT_THAT(take_one_off_options(parts), ElementsAre("-paste", "-info"));
  EXPECT_EQ(put_together(parts), "-O2 run");
}

TEST(CodeParts, TakeNoTextBeyondItsEnd) {
  for (const std::string text :
       {"-args \"a", "-args", "-a\\", "--", "-", "-args 'a", "x '", "x \\", "-a\"\\", "-args   "}) {
    EXPECT_NO_THROW(put_together(take_apart(text))) << text;
  }
}

}  // namespace
}  // namespace pbotvm::history

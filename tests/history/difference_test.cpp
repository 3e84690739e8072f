// SPDX-License-Identifier: MIT
#include "history/difference.h"

#include <gtest/gtest.h>

namespace pbotvm::history {
namespace {

TEST(Difference, ShowsWordsThatWereReplacedAddedAndRemoved) {
  EXPECT_EQ(difference("puts(\"Hello\");", "puts(\"Good\");"), "puts(\"[-Hello-]{+Good+}\");");
  EXPECT_EQ(difference("a b c", "a c"), "a [-b -]c");
  EXPECT_EQ(difference("a c", "a b c"), "a {+b +}c");
  EXPECT_EQ(difference("x = 1; y = 2;", "x = 3; y = 4;"), "x = [-1-]{+3+}; y = [-2-]{+4+};");
  EXPECT_EQ(difference("", "a"), "{+a+}");
}

TEST(Difference, IsEmptyWhereNothingDiffers) {
  EXPECT_EQ(difference("a b", "a b"), "");
}

TEST(Difference, JoinsNeighbours) {
  EXPECT_EQ(difference("one two three end", "four five six end"), "[-one two three-]{+four five six+} end");
}

TEST(Difference, IsOneLine) {
  EXPECT_EQ(difference("a\nb\nc", "a\nB\nc"), "a\\n[-b-]{+B+}\\nc");
}

TEST(Difference, ShortensWhatStayedTheSame) {
  const std::string before(300, 'a'), behind(300, 'z');
  const auto text = difference(before + " 1 " + behind, before + " 2 " + behind);
  EXPECT_LT(text.size(), 120u);
  EXPECT_NE(text.find("[-1-]{+2+}"), std::string::npos);
  EXPECT_EQ(text.substr(0, 4), "... ");
}

TEST(Difference, CutsNoCharacter) {
  std::string before, behind;
  for (int i = 0; i < 200; ++i) before += "\xc3\xa9 ", behind += " \xe2\x82\xac";
  const auto text = difference(before + "1" + behind, before + "2" + behind);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0xc0) {
      for (int k = 1; k < (byte >= 0xe0 ? 3 : 2); ++k) {
        ASSERT_LT(i + k, text.size());
        ASSERT_EQ(static_cast<unsigned char>(text[i + k]) & 0xc0, 0x80);
      }
    } else if (byte >= 0x80) {
      ASSERT_GT(i, 0u);
      ASSERT_GE(static_cast<unsigned char>(text[i - 1]), 0x80);
    }
  }
}

TEST(Difference, IsBoundedForTextsOfTheLargestSize) {
  std::string older, newer;
  while (older.size() < (1 << 20)) older += "a b ; ", newer += "c , d ";
  const auto text = difference(older, newer);
  EXPECT_LT(text.size(), 5000u);
  EXPECT_FALSE(text.empty());
  // Many small changes.
  std::string one, two;
  for (int i = 0; i < 400; ++i) one += "same " + std::to_string(i) + "a ", two += "same " + std::to_string(i) + "b ";
  EXPECT_LT(difference(one, two).size(), 3000u);
}

}  // namespace
}  // namespace pbotvm::history

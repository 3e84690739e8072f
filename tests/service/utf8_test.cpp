// SPDX-License-Identifier: MIT
#include "service/utf8.h"

#include <gtest/gtest.h>

namespace pbotvm::service {
namespace {

TEST(FindInvalidUtf8Test, KnowsTheFormsOfRfc3629) {
  const auto npos = std::string_view::npos;
  EXPECT_EQ(find_invalid_utf8("plain \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"), npos);
  EXPECT_EQ(find_invalid_utf8("\xC0\xAF"), 0u);          // overlong
  EXPECT_EQ(find_invalid_utf8("a\xED\xA0\x80"), 1u);     // surrogate
  EXPECT_EQ(find_invalid_utf8("\xF4\x90\x80\x80"), 0u);  // beyond U+10FFFF
  EXPECT_EQ(find_invalid_utf8("ab\xE2\x82"), 2u);        // cut short
  EXPECT_EQ(find_invalid_utf8("\x80"), 0u);              // continuation without a start
}

TEST(IncompleteUtf8TailTest, IsWhatMayStillBecomeACharacter) {
  EXPECT_EQ(incomplete_utf8_tail(""), 0u);
  EXPECT_EQ(incomplete_utf8_tail("a"), 0u);
  EXPECT_EQ(incomplete_utf8_tail("a\xC3\xA9"), 0u);
  EXPECT_EQ(incomplete_utf8_tail("a\xC3"), 1u);
  EXPECT_EQ(incomplete_utf8_tail("\xE2\x82"), 2u);
  EXPECT_EQ(incomplete_utf8_tail("\xF0\x9F\x98"), 3u);
  EXPECT_EQ(incomplete_utf8_tail("\xF0\x9F\x98\x80"), 0u);
  EXPECT_EQ(incomplete_utf8_tail("\xFF"), 0u);      // begins nothing
  EXPECT_EQ(incomplete_utf8_tail("\xED\xA0"), 0u);  // half a surrogate
  EXPECT_EQ(incomplete_utf8_tail("\xF4\x90"), 0u);  // beyond U+10FFFF
  EXPECT_EQ(incomplete_utf8_tail("\x80\x80\x80"), 0u);
}

}  // namespace
}  // namespace pbotvm::service

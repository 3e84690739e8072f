// SPDX-License-Identifier: MIT
#include "gdb_values.h"

#include <gtest/gtest.h>

namespace pbotvm::c {
namespace {

TEST(GdbValues, KeepAPointerWhoseTargetCannotBeRead) {
  EXPECT_EQ(readable_values("0x8 <error: Cannot access memory at address 0x8>"), "0x8");
  EXPECT_EQ(readable_values("s=0x8 <error: Cannot access memory at address 0x8>, n=3"), "s=0x8, n=3");
}

TEST(GdbValues, AreAQuestionMarkWhereNothingCanBeRead) {
  EXPECT_EQ(readable_values("<error reading variable x (Cannot access memory at address 0x1)>"), "?");
  EXPECT_EQ(readable_values("a=<error reading variable: no std::vector<std::pair<int, int> >>, b=2"), "a=?, b=2");
  EXPECT_EQ(readable_values("{a = <error: gone>, b = 2}"), "{a = ?, b = 2}");
}

TEST(GdbValues, LeaveTheProgramsOwnWordsAlone) {
  EXPECT_EQ(readable_values(R"("<error: \"mine\">", c = 39 '\'', d = "<error")"),
            R"("<error: \"mine\">", c = 39 '\'', d = "<error")");
  EXPECT_EQ(readable_values("<optimized out>"), "<optimized out>");
}

TEST(GdbValues, MayBeCutAnywhere) {
  EXPECT_EQ(readable_values("\"abc\\"), "\"abc\\");
  EXPECT_EQ(readable_values("0x8 <error: Cannot"), "0x8");
  EXPECT_EQ(readable_values(""), "");
}

TEST(GdbValues, AreUnreadableWhenNothingIsLeftOrAListBreaksOff) {
  EXPECT_TRUE(is_unreadable(""));
  EXPECT_TRUE(is_unreadable("?"));
  EXPECT_TRUE(is_unreadable("std::vector of length 3 = {1, ?"));
  EXPECT_FALSE(is_unreadable("{1, 2}"));
  EXPECT_FALSE(is_unreadable("\"{\""));
}

}  // namespace
}  // namespace pbotvm::c

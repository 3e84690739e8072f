// SPDX-License-Identifier: MIT
#include "service/shown_name.h"

#include <gtest/gtest.h>

namespace pbotvm::service {
namespace {

TEST(ShownNameTest, ShowsAPlainNameAsItIs) {
  EXPECT_EQ(in_quotes("sh"), "'sh'");
  EXPECT_EQ(in_quotes("\xC3\xA9"), "'\xC3\xA9'");
}

TEST(ShownNameTest, KeepsToOneLineWithoutControls) {
  EXPECT_EQ(in_quotes("a\r\nPRIVMSG #c :b"), "'a\\x0d\\x0aPRIVMSG #c :b'");
  const std::string text = in_quotes(std::string("\0\x01\x02\x1B[1m\x7F\t", 9));
  for (const char c : text) EXPECT_TRUE(c >= 0x20 && c != 0x7F) << text;
}

TEST(ShownNameTest, CutsALongOneBetweenTwoCharacters) {
  EXPECT_EQ(in_quotes(std::string(80, 'x')), "'" + std::string(80, 'x') + "'");
  EXPECT_EQ(in_quotes(std::string(79, 'x') + "\xC3\xA9"), "'" + std::string(79, 'x') + "...'");
}

}  // namespace
}  // namespace pbotvm::service

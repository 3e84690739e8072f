// SPDX-License-Identifier: MIT
#include "config/error_line.h"

#include <gmock/gmock.h>

namespace pbotvm {
namespace {

using testing::EndsWith;
using testing::SizeIs;
using testing::StartsWith;

TEST(ErrorLine, IsPlain) {
  EXPECT_EQ("one two ?[31mred?", error_line("one\ntwo\t\x1b[31mred\x7f"));
  EXPECT_EQ("caf\u00e9", error_line("caf\u00e9"));
}

TEST(ErrorLine, OfALongTextHasTheBeginningAndTheRemedy) {
  const std::string line = error_line("found '" + std::string(100'000, 'x') + "'; choose another");
  EXPECT_THAT(line, StartsWith("found 'xxx"));
  EXPECT_THAT(line, EndsWith("xxx'; choose another"));
  EXPECT_THAT(line, SizeIs(testing::Le(1010u)));
}

TEST(ErrorLine, IsCutBetweenCharacters) {
  for (std::size_t shift = 0; shift < 2; ++shift) {
    std::string text(shift, 'x');
    for (int i = 0; i < 2000; ++i) text += "\u00e9";
    const std::string line = error_line(text);
    const auto gap = line.find(" ... ");
    ASSERT_NE(std::string::npos, gap);
    EXPECT_EQ('\xa9', line[gap - 1]);
    EXPECT_EQ('\xc3', line[gap + 5]);
  }
}

}  // namespace
}  // namespace pbotvm

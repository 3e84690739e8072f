// SPDX-License-Identifier: MIT
#include "pbotvm/error.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "pbotvm/settings.h"

namespace pbotvm {
namespace {

TEST(ErrorTest, JoinsWhatWasTriedAndTheRemedy) {
  EXPECT_STREQ(Error(ErrorCode::refused, "open the door").what(), "open the door");
  const Error error(ErrorCode::unavailable, "open the door", "knock first");
  EXPECT_STREQ(error.what(), "open the door; knock first");
  EXPECT_EQ(error.code(), ErrorCode::unavailable);
}

TEST(ErrorTest, NamesTheSystemsReason) {
  EXPECT_EQ(errno_text("open /etc/x", ENOENT), "open /etc/x: No such file or directory");
}

TEST(ErrorTest, PutsThePlaceOfAConfigurationErrorFirst) {
  const ConfigurationError error("x.yaml:1:2", "found a thing");
  EXPECT_STREQ(error.what(), "x.yaml:1:2: error: found a thing");
  EXPECT_EQ(error.code(), ErrorCode::configuration);
}

}  // namespace
}  // namespace pbotvm

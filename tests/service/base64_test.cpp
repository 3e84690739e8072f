// SPDX-License-Identifier: MIT
#include "service/base64.h"

#include <gtest/gtest.h>

namespace pbotvm::service {
namespace {

TEST(Base64Test, KnowsTheVectorsOfRfc4648) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(encode_base64(bytes), text);
    EXPECT_EQ(decode_base64(text), bytes);
  }
}

TEST(Base64Test, BringsEveryByteBack) {
  std::string bytes;
  for (int i = 0; i < 1024; ++i) bytes += static_cast<char>(i * 7 + i / 256);
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const std::string part = bytes.substr(0, size);
    ASSERT_EQ(decode_base64(encode_base64(part)), part);
  }
}

TEST(Base64Test, RefusesEverythingElse) {
  for (const char* text :
       {"A", "AA", "AAA", "A===", "====", "AA=A", "AAAA\n", "AA A", "-_==", "AB==", "AAB=", "=AAA"}) {
    EXPECT_EQ(decode_base64(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace pbotvm::service

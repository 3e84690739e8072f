// SPDX-License-Identifier: MIT
#include "image/image_name.h"

#include <gmock/gmock.h>

#include "image_folder.h"
#include "pbotvm/error.h"

namespace pbotvm::image {
namespace {

using pbotvm::testing::refusal;
using ::testing::HasSubstr;

TEST(ImageName, AProtocolOfQemuIsNoNameOfAFile) {
  for (const std::string name : {"nbd:localhost:10809", "json:{\"driver\":\"nbd\"}", "nbd://x/y", "file:x", "a:b"})
    EXPECT_THAT(refusal([&] { local_file(name); }), HasSubstr("protocol")) << name;
}

TEST(ImageName, AnOptionIsNoNameOfAFile) {
  EXPECT_THAT(refusal([] { local_file("-b"); }), HasSubstr("'./-b'"));
}

TEST(ImageName, ControlCharactersAreRefusedAndNotShown) {
  EXPECT_EQ(std::string::npos, refusal([] { local_file("a\x1b[31m"); }).find('\x1b'));
  EXPECT_THAT(refusal([] { local_file("a\nb"); }), HasSubstr("control"));
  EXPECT_THAT(refusal([] { local_file(""); }), HasSubstr("empty"));
}

TEST(ImageName, BecomesAbsoluteSoThatNothingOfItIsAnOptionOrAProtocol) {
  const auto file = local_file("./nbd:localhost");
  EXPECT_TRUE(file.is_absolute());
  EXPECT_EQ("nbd:localhost", file.filename());
}

TEST(BackingPath, IsMeantFromTheOverlaysDirectory) {
  EXPECT_EQ("/x/base.qcow2", backing_path("/x/top.qcow2", "base.qcow2"));
  EXPECT_EQ("/x/base.qcow2", backing_path("/x/y/top.qcow2", "../base.qcow2"));
  EXPECT_EQ("/z/base.qcow2", backing_path("/x/top.qcow2", "/z/base.qcow2"));
  EXPECT_EQ("/z/base.qcow2", backing_path("/x/top.qcow2", "file:/z/base.qcow2"));
  EXPECT_EQ("/x/a:b", backing_path("/x/top.qcow2", "./a:b"));
}

TEST(BackingPath, OfAProtocolIsRefused) {
  for (const std::string name : {"nbd:localhost:1", "nbd+unix:///x", "json:{}", "https://x/y", "fat:rw:/etc", "file:x"})
    EXPECT_THAT(refusal([&] { backing_path("/x/top.qcow2", name); }), HasSubstr("no local file")) << name;
}

TEST(BackingText, IsRelativeWithinOneTreeAndAbsoluteAcrossTrees) {
  EXPECT_EQ("base.qcow2", backing_text("/x/top.qcow2", "/x/base.qcow2"));
  EXPECT_EQ("../base.qcow2", backing_text("/x/y/top.qcow2", "/x/base.qcow2"));
  EXPECT_EQ("y/base.qcow2", backing_text("/x/top.qcow2", "/x/y/base.qcow2"));
  EXPECT_EQ("/z/base.qcow2", backing_text("/x/top.qcow2", "/z/base.qcow2"));
  EXPECT_EQ("/xy/base.qcow2", backing_text("/x/top.qcow2", "/xy/base.qcow2"));
}

TEST(BackingText, DoesNotLookLikeAProtocol) {
  EXPECT_EQ("./nbd:base", backing_text("/x/top.qcow2", "/x/nbd:base"));
}

TEST(BackingText, IsBounded) {
  const std::string text = backing_text("/x/top", "/" + std::string(max_backing_name - 1, 'b'));
  EXPECT_EQ(max_backing_name, text.size());
  EXPECT_THROW(backing_text("/x/top", "/" + std::string(max_backing_name, 'b')), Error);
}

}  // namespace
}  // namespace pbotvm::image

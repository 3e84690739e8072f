// SPDX-License-Identifier: MIT
#include "image/image_header.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "image_folder.h"
#include "pbotvm/error.h"

namespace pbotvm::image {
namespace {

using pbotvm::testing::Qcow2;
using pbotvm::testing::refusal;
using ::testing::HasSubstr;

class ImageHeaderOf : public pbotvm::testing::ImageFolder {};

TEST_F(ImageHeaderOf, Qcow2TellsWhatItLiesOn) {
  const auto header = read_header(write("a", Qcow2{.backing = "base.raw", .backing_format = "raw", .size = 5 << 20}));
  EXPECT_EQ(Format::qcow2, header.format);
  EXPECT_EQ(5u << 20, header.virtual_size);
  EXPECT_EQ("base.raw", header.backing);
  EXPECT_EQ("raw", header.backing_format);
  EXPECT_EQ(65536u, header.cluster_size);
}

TEST_F(ImageHeaderOf, Qcow2TellsWhatMakesItSpecial) {
  const auto plain = read_header(write("a", Qcow2{}));
  EXPECT_FALSE(plain.external_data || plain.encrypted || plain.corrupt || plain.extended_l2 || plain.snapshots != 0);
  EXPECT_EQ("", plain.backing);
  EXPECT_TRUE(read_header(write("b", Qcow2{.incompatible = 2})).corrupt);
  EXPECT_TRUE(read_header(write("c", Qcow2{.incompatible = 4})).external_data);
  EXPECT_TRUE(read_header(write("d", Qcow2{.incompatible = 16})).extended_l2);
  EXPECT_TRUE(read_header(write("e", Qcow2{.crypt = 2})).encrypted);
  EXPECT_EQ(3u, read_header(write("f", Qcow2{.snapshots = 3})).snapshots);
}

TEST_F(ImageHeaderOf, RawIsAnythingElse) {
  const auto header = read_header(write("a", std::string(12345, 'x')));
  EXPECT_EQ(Format::raw, header.format);
  EXPECT_EQ(12345u, header.virtual_size);
  EXPECT_EQ(0u, read_header(write("b", "")).virtual_size);
}

TEST_F(ImageHeaderOf, OtherFormatsAreNotTakenForRaw) {
  for (const std::string magic : {"KDMV", "vhdxfile", "conectix", "# Disk DescriptorFile"})
    EXPECT_THAT(refusal([&] { read_header(write("a", magic + std::string(600, '\0'))); }),
                HasSubstr("qemu-img convert"));
}

TEST_F(ImageHeaderOf, EveryCutOfAHeaderIsRefusedOrRead) {
  const std::string whole = Qcow2{.backing = "base.raw", .backing_format = "raw"}.bytes();
  for (std::size_t size = 4; size < whole.size(); ++size)
    EXPECT_THAT(refusal([&] { read_header(write("a", whole.substr(0, size))); }), HasSubstr("broken qcow2")) << size;
}

TEST_F(ImageHeaderOf, BrokenFieldsAreRefused) {
  EXPECT_THROW(read_header(write("a", Qcow2{.cluster_bits = 31})), Error);
  EXPECT_THROW(read_header(write("a", Qcow2{.cluster_bits = 8})), Error);
  EXPECT_THROW(read_header(write("a", Qcow2{.length = 72})), Error);
  EXPECT_THROW(read_header(write("a", Qcow2{.backing = std::string(1024, 'x')})), Error);
  EXPECT_THROW(read_header(write("a", Qcow2{.backing = std::string("a\0b", 3)})), Error);
  EXPECT_THROW(read_header(write("a", Qcow2{.backing = "b", .backing_format = "a-format-that-is-none"})), Error);
  std::string version = Qcow2{}.bytes();
  version[7] = 4;
  EXPECT_THROW(read_header(write("a", version)), Error);
}

TEST_F(ImageHeaderOf, AnExtensionThatClaimsTooMuchIsRefused) {
  std::string bytes = Qcow2{.backing_format = "raw"}.bytes();
  bytes.replace(108, 4, "\x7f\xff\xff\xff", 4);
  EXPECT_THROW(read_header(write("a", bytes)), Error);
}

TEST_F(ImageHeaderOf, WhatIsNoFileIsRefusedAtOnce) {
  EXPECT_THAT(refusal([&] { read_header(folder_); }), HasSubstr("is no file"));
  ASSERT_EQ(0, ::mkfifo((folder_ / "pipe").c_str(), 0600));
  EXPECT_THAT(refusal([&] { read_header(folder_ / "pipe"); }), HasSubstr("is no file"));
  EXPECT_THAT(refusal([&] { read_header(folder_ / "none"); }), HasSubstr("No such file"));
}

}  // namespace
}  // namespace pbotvm::image

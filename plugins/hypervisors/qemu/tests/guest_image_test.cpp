// SPDX-License-Identifier: MIT
#include "guest_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pbotvm/settings.h"
#include "temporary_directory.h"

namespace pbotvm::qemu {
namespace {

using pbotvm::testing::TemporaryDirectory;
using pbotvm::testing::write_text;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class GuestImageFiles : public ::testing::Test {
 protected:
  GuestImageFiles() {
    for (const char* name : {"vmlinuz", "initrd", "rootfs.squashfs", "image.id"}) {
      write_text(image_.file(name), std::string("content of ") + name + "\n");
      ::chmod(image_.file(name).c_str(), 0644);
    }
  }

  std::string complaint() const {
    try {
      open_image(image_.path(), "p.yaml:3:9");
    } catch (const ConfigurationError& error) {
      return error.what();
    }
    return "no complaint";
  }

  TemporaryDirectory image_;
};

TEST_F(GuestImageFiles, AreOpenForReading) {
  const GuestImage image = open_image(image_.path(), "p.yaml");
  char buffer[64] = {};
  ASSERT_LT(0, ::read(image.rootfs.get(), buffer, sizeof buffer));
  EXPECT_STREQ("content of rootfs.squashfs\n", buffer);
  EXPECT_TRUE(image.kernel);
  EXPECT_TRUE(image.initrd);
  EXPECT_THAT(image.fingerprint, HasSubstr("content of image.id"));
}

TEST_F(GuestImageFiles, AreMissedByName) {
  std::filesystem::remove(image_.file("initrd"));
  EXPECT_THAT(complaint(), StartsWith("p.yaml:3:9: error: guest image " + image_.file("initrd") + ": No such file"));
}

TEST_F(GuestImageFiles, MustBeReadableForTheUserThatQemuRunsAs) {
  if (::geteuid() != 0) GTEST_SKIP() << "the check is for a host that root starts";
  ::chmod(image_.file("vmlinuz").c_str(), 0600);
  EXPECT_THAT(complaint(), HasSubstr("chmod o+r"));
}

TEST_F(GuestImageFiles, MustBeFiles) {
  std::filesystem::remove(image_.file("rootfs.squashfs"));
  std::filesystem::create_directory(image_.file("rootfs.squashfs"));
  EXPECT_THAT(complaint(), HasSubstr("no ordinary file"));
}

TEST_F(GuestImageFiles, HaveAnotherFingerprintOnceTheyChange) {
  const std::string before = open_image(image_.path(), "p.yaml").fingerprint;
  EXPECT_EQ(before, open_image(image_.path(), "p.yaml").fingerprint);
  write_text(image_.file("rootfs.squashfs"), "a longer content than before, whatever image.id says");
  EXPECT_NE(before, open_image(image_.path(), "p.yaml").fingerprint);
}

}  // namespace
}  // namespace pbotvm::qemu

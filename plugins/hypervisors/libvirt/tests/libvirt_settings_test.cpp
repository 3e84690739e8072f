// SPDX-License-Identifier: MIT
#include "libvirt_settings.h"

#include <gtest/gtest.h>

namespace pbotvm::libvirt {
namespace {

LibvirtSettings read(const std::string& text) {
  return read_settings(Settings::parse(text, "test.yaml"));
}

TEST(LibvirtSettings, AreTheSystemsDaemonAndAnUntaintedRevertWhereNothingIsSaid) {
  const LibvirtSettings made = read("{plugin: libvirt}");
  EXPECT_EQ("qemu:///system", made.uri);
  EXPECT_FALSE(made.fast_revert);
  EXPECT_EQ(0, made.shutdown.count());
}

TEST(LibvirtSettings, AreReadAsWritten) {
  const LibvirtSettings made =
      read("{plugin: libvirt, uri: 'qemu+ssh://root@far/system?no_tty=1', fast_revert: true, shutdown: 5}");
  EXPECT_EQ("qemu+ssh://root@far/system?no_tty=1", made.uri);
  EXPECT_TRUE(made.fast_revert);
  EXPECT_EQ(5, made.shutdown.count());
}

TEST(LibvirtSettings, RefuseWhatIsNoUriAndNameOne) {
  for (const std::string uri : {"''", "system", "'://x'", "'qemu:///sys tem'"}) {
    try {
      read("{uri: " + uri + "}");
      ADD_FAILURE() << uri;
    } catch (const ConfigurationError& error) {
      EXPECT_NE(std::string::npos, std::string(error.what()).find("qemu:///session")) << error.what();
    }
  }
}

TEST(LibvirtSettings, RefuseAKeyOfAnotherBackEnd) {
  EXPECT_THROW(read("{memory: 1 GiB}"), ConfigurationError);
}

TEST(LibvirtSettings, RefuseAShutdownThatNoStopWaitsFor) {
  EXPECT_THROW(read("{shutdown: 61}"), ConfigurationError);
}

}  // namespace
}  // namespace pbotvm::libvirt

// SPDX-License-Identifier: MIT
#include "bridge_helper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "pbotvm/error.h"
#include "temporary_directory.h"

namespace pbotvm::qemu {
namespace {

using namespace std::chrono_literals;
using pbotvm::testing::TemporaryDirectory;
using pbotvm::testing::write_text;
using ::testing::HasSubstr;

std::string complaint(const std::string& helper, const Deadline& deadline = Deadline::in(30s)) {
  try {
    open_bridge_port("br-none", helper, deadline);
  } catch (const Error& error) {
    return error.what();
  }
  return "no complaint";
}

std::string script(const TemporaryDirectory& directory, const std::string& text) {
  const std::string file = directory.file("helper");
  write_text(file, "#!/bin/sh\n" + text + "\n");
  ::chmod(file.c_str(), 0755);
  return file;
}

TEST(BridgeHelper, ThatIsNotThereIsNamed) {
  EXPECT_THAT(complaint("/nonexistent/helper"), HasSubstr("/nonexistent/helper: No such file"));
}

TEST(BridgeHelper, IsToldBridgeAndDescriptor) {
  const TemporaryDirectory directory;
  EXPECT_THAT(complaint(script(directory, "echo \"$@\" >&2; exit 1")), HasSubstr("said: --br=br-none --fd=3"));
}

TEST(BridgeHelper, HasItsWordsPassedOnWithWhatToDo) {
  const TemporaryDirectory directory;
  const auto says = [&directory](const std::string& text) {
    return complaint(script(directory, "echo '" + text + "' >&2; exit 1"));
  };
  EXPECT_THAT(says("access denied by acl file"), HasSubstr("'allow br-none' to /etc/qemu/bridge.conf"));
  EXPECT_THAT(says("failed to parse default acl file"), HasSubstr("'allow br-none' to /etc/qemu/bridge.conf"));
  EXPECT_THAT(says("failed to get mtu of bridge: No such device"), HasSubstr("ip link add br-none type bridge"));
  EXPECT_THAT(says("could not open /dev/net/tun: No such file"), HasSubstr("kernel module tun"));
  EXPECT_THAT(says("failed to open /dev/net/tun: Permission denied"), HasSubstr("chmod 0666 /dev/net/tun"));
}

TEST(BridgeHelper, ThatSendsNothingIsAFailure) {
  const TemporaryDirectory directory;
  EXPECT_THAT(complaint(script(directory, "exit 0")), HasSubstr("exit status 0"));
}

TEST(BridgeHelper, ThatDoesNotEndIsGivenUp) {
  const TemporaryDirectory directory;
  EXPECT_THAT(complaint(script(directory, "exec sleep 1000"), Deadline::in(100ms)), HasSubstr("in time"));
}

}  // namespace
}  // namespace pbotvm::qemu

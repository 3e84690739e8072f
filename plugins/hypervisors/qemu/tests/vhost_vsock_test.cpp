// SPDX-License-Identifier: MIT

// Errors only: the device itself is tried in a machine of its own, see `tests/run nested`.

#include "vhost_vsock.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pbotvm::qemu {
namespace {

using ::testing::HasSubstr;

template <typename Call>
std::string complaint(Call call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(ErrorCode::unavailable, error.code());
    return error.what();
  }
  return "no complaint";
}

TEST(VhostVsock, SaysWhatToDoWhereThereIsNone) {
  const std::string text = complaint([] { open_vhost_vsock("/nonexistent/vhost-vsock"); });
  EXPECT_THAT(text, HasSubstr("open /nonexistent/vhost-vsock: No such file or directory"));
  EXPECT_THAT(text, HasSubstr("vhost_vsock"));
}

TEST(VhostVsock, NamesMachineAndContextIdThatItCannotTake) {
  const UniqueFd something(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const std::string text = complaint([&] { claim_cid(something, 7, "main"); });
  EXPECT_THAT(text, HasSubstr("machine 'main'"));
  EXPECT_THAT(text, HasSubstr("context id 7"));
  EXPECT_THAT(text, HasSubstr("machines.main.cid"));
}

}  // namespace
}  // namespace pbotvm::qemu

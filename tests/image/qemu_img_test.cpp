// SPDX-License-Identifier: MIT
#include "image/qemu_img.h"

#include <gmock/gmock.h>

#include <chrono>

#include "image_folder.h"
#include "pbotvm/error.h"

namespace pbotvm::image {
namespace {

using pbotvm::testing::refusal;
using ::testing::HasSubstr;
using ::testing::Not;

class QemuImg : public pbotvm::testing::ImageFolder {};

TEST(QemuImgProgress, IsThePercentageThatWasPrintedLast) {
  EXPECT_DOUBLE_EQ(12.34, last_percentage("    (0.00/100%)\r    (12.34/100%)\r"));
  EXPECT_DOUBLE_EQ(0.0, last_percentage("    (0.00/100%)\r    (12."));
  EXPECT_LT(last_percentage("Image committed.\n"), 0);
  EXPECT_LT(last_percentage("/100%)"), 0);
  EXPECT_LT(last_percentage("(-3/100%)"), 0);
  EXPECT_LT(last_percentage("(900/100%)"), 0);
}

TEST_F(QemuImg, FailsWithItsOwnWordsOnOneLine) {
  const std::string file = folder_ / "none";
  const auto text = refusal([&] { run_qemu_img({"commit", "-f", "qcow2", file}); });
  EXPECT_THAT(text, HasSubstr("qemu-img commit: Could not open '" + file + "'"));
  EXPECT_THAT(text, Not(HasSubstr("\n")));
}

TEST_F(QemuImg, ThatIsNotThereIsSaidWithThePackageThatHasIt) {
  const char* old = ::getenv("PATH");
  const std::string before = old != nullptr ? old : "";
  ::setenv("PATH", folder_.c_str(), 1);
  const auto text = refusal([] { run_qemu_img({"--version"}); });
  ::setenv("PATH", before.c_str(), 1);
  EXPECT_THAT(text, HasSubstr("apt install qemu-utils"));
}

TEST_F(QemuImg, ToldToEndIsEnded) {
  // Reads that would take hours.
  ASSERT_EQ(Outcome::done, run_qemu_img({"create", "-q", "-f", "raw", folder_ / "from", "4M"}));
  const auto begun = std::chrono::steady_clock::now();
  const Watch watch{{}, [&] { return std::chrono::steady_clock::now() > begun + std::chrono::milliseconds(200); }};
  EXPECT_EQ(Outcome::cancelled,
            run_qemu_img({"bench", "-f", "raw", "-c", "100000000", "-s", "4096", folder_ / "from"}, watch));
}

}  // namespace
}  // namespace pbotvm::image

// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <unistd.h>

#include "guest_process.h"

namespace pbotvm::guest_test {
namespace {

using testing::HasSubstr;

struct Started {
  int status;
  std::string errors;
};

Started start(std::vector<std::string> arguments) {
  const TemporaryDirectory directory;
  for (auto& argument : arguments) {
    if (const auto at = argument.find("DIR"); at != argument.npos) argument.replace(at, 3, directory.path().string());
  }
  arguments.insert(arguments.begin(), GUEST_PROGRAM);
  ChildProgram program(arguments, directory.path() / "errors");
  const int status = program.wait();
  return {status, program.errors()};
}

TEST(GuestStart, wrong_usage_is_64_and_says_what) {
  const std::vector<std::vector<std::string>> wrong = {{},
                                                       {"--nonsense"},
                                                       {"--serial"},
                                                       {"extra"},
                                                       {"--listen", "tcp:5"},
                                                       {"--listen", "unix:"},
                                                       {"--listen", "unix:DIR/x", "--allow-missing", "everything"},
                                                       {"--listen", "unix:DIR/x", "--work", "relative"}};
  for (const auto& arguments : wrong) {
    const Started started = start(arguments);
    EXPECT_EQ(started.status, 64) << started.errors;
    EXPECT_THAT(started.errors, testing::StartsWith("pbotvm-guest: "));
  }
}

TEST(GuestStart, help_and_version_are_told) {
  EXPECT_THAT(start({"--help"}).errors, HasSubstr("--allow-missing"));
  EXPECT_EQ(start({"--version"}).errors, "pbotvm-guest " PBOTVM_VERSION "\n");
  EXPECT_EQ(start({"--version"}).status, 0);
}

TEST(GuestStart, a_missing_piece_of_containment_stops_the_start_and_names_the_option) {
  const Started started = start({"--listen", "unix:DIR/line", "--work", "DIR/work", "--user", "no-such-user"});
  EXPECT_EQ(started.status, 69);
  EXPECT_THAT(started.errors, HasSubstr("--allow-missing user goes on without"));
}

TEST(GuestStart, no_line_that_works_is_69) {
  const Started started = start(
      {"--serial", "DIR/nothing", "--virtio-serial", "no.such.port", "--work", "DIR/work", "--allow-missing", "all"});
  EXPECT_EQ(started.status, 69);
  EXPECT_THAT(started.errors, HasSubstr("virtio-serial port no.such.port: No such device"));
}

}  // namespace
}  // namespace pbotvm::guest_test

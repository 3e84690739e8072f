// SPDX-License-Identifier: MIT
#include "service/fortune.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "service/sayings.h"

namespace pbotvm::service {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

bool is_saying(const std::string& line) {
  return std::ranges::find(sayings(), line) != sayings().end();
}

class FortuneTest : public ::testing::Test {
 protected:
  FortuneTest() {
    std::string name = (fs::temp_directory_path() / "pbotvm-fortune-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~FortuneTest() override { fs::remove_all(folder_); }

  fs::path program(const std::string& script) const {
    const fs::path path = folder_ / "fortune";
    std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }

  // The first line that is none of the project's own, as the program is run in the background.
  static std::string line_of_the_program(Fortune& fortune) {
    for (const auto end = std::chrono::steady_clock::now() + 60s; std::chrono::steady_clock::now() < end;) {
      if (const auto line = fortune.line(); !is_saying(line)) return line;
      std::this_thread::sleep_for(1ms);
    }
    return "it never came";
  }

  fs::path folder_;
};

TEST_F(FortuneTest, HasItsOwnLinesWhereNoProgramIs) {
  Fortune fortune({});
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    const auto line = fortune.line();
    ASSERT_TRUE(is_saying(line)) << line;
    seen.insert(line);
  }
  EXPECT_GT(seen.size(), 10u);
}

TEST_F(FortuneTest, OwnLinesAreShortAndDifferent) {
  EXPECT_GE(sayings().size(), 60u);
  EXPECT_EQ(std::set(sayings().begin(), sayings().end()).size(), sayings().size());
  for (const auto line : sayings()) {
    EXPECT_LE(line.size(), 100u) << line;
    EXPECT_TRUE(std::ranges::all_of(line, [](char c) { return c >= ' ' && c <= '~'; })) << line;
  }
}

TEST_F(FortuneTest, GivesTheProgramsShortLinesAsOneLine) {
  Fortune fortune(program("test \"$1\" = -s && printf 'A line,\\n\\t\\tand another.\\n'"));
  EXPECT_EQ(line_of_the_program(fortune), "A line, and another.");
}

TEST_F(FortuneTest, UnderstandsTheRealProgram) {
  const auto real = find_fortune();
  if (real.empty()) GTEST_SKIP() << "fortune is not installed (package fortune-mod)";
  Fortune fortune(real);
  const auto line = line_of_the_program(fortune);
  EXPECT_LE(line.size(), Fortune::max_line);
  EXPECT_EQ(line.find_first_of("\n\t"), line.npos) << line;
  EXPECT_NE(line, "it never came");
}

TEST_F(FortuneTest, DoesNotWaitForAProgramThatHangs) {
  Fortune fortune(program("exec sleep 1000"));
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_TRUE(is_saying(fortune.line()));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 900ms);
}

TEST_F(FortuneTest, PassesOverWhatIsNoLineOfText) {
  for (const char* script : {"exit 1", "true", "printf 'a\\033[2Jb'", "printf 'a\\377'",
                             "yes x | head -c 600 | tr '\\n' x", "echo; kill -9 $$"}) {
    Fortune fortune(program(script));
    for (int i = 0; i < 20; ++i) {
      const auto line = fortune.line();
      EXPECT_TRUE(is_saying(line)) << script << ": " << line;
      std::this_thread::sleep_for(5ms);
    }
  }
}

}  // namespace
}  // namespace pbotvm::service

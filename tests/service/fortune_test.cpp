// SPDX-License-Identifier: MIT
#include "service/fortune.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "service/sayings.h"

namespace pbotvm::service {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto a_long_time = 30s;  // for one run of a program

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

  std::string note() const { return (folder_ / "note").string(); }

  // The lines that programs wrote into the note, as soon as there are so many; calls `meanwhile` until then.
  template <typename Function>
  std::vector<std::string> await_notes(std::size_t count, Function meanwhile) const {
    for (const auto end = std::chrono::steady_clock::now() + 60s; std::chrono::steady_clock::now() < end;) {
      std::ifstream file(note());
      std::vector<std::string> lines;
      for (std::string line; std::getline(file, line) && !file.eof();) lines.push_back(line);
      if (lines.size() >= count) return lines;
      meanwhile();
      std::this_thread::sleep_for(1ms);
    }
    ADD_FAILURE() << "the program was not run " << count << " times";
    return std::vector<std::string>(count, "0");
  }

  // One that is killed may remain as a zombie.
  static bool runs(const std::string& pid) {
    std::ifstream file("/proc/" + pid + "/stat");
    std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto name_end = text.rfind(')');
    return name_end != text.npos && text.size() > name_end + 2 && text[name_end + 2] != 'Z';
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
  Fortune fortune(program("test \"$1\" = -s && printf 'A line,\\n\\t\\tand another.\\n'"), a_long_time, 0s);
  EXPECT_EQ(line_of_the_program(fortune), "A line, and another.");
}

TEST_F(FortuneTest, UnderstandsTheRealProgram) {
  const auto real = find_fortune();
  if (real.empty()) GTEST_SKIP() << "fortune is not installed (package fortune-mod)";
  Fortune fortune(real, a_long_time, 0s);
  const auto line = line_of_the_program(fortune);
  EXPECT_LE(line.size(), Fortune::max_line);
  EXPECT_EQ(line.find_first_of("\n\t"), line.npos) << line;
  EXPECT_NE(line, "it never came");
}

TEST_F(FortuneTest, DoesNotWaitForAProgramThatHangs) {
  Fortune fortune(program("echo $$ >>" + note() + "; exec sleep 1000"), a_long_time, 0s);
  EXPECT_TRUE(is_saying(fortune.line()));
  const auto pids = await_notes(1, [] {});
  EXPECT_TRUE(is_saying(fortune.line()));
  EXPECT_TRUE(runs(pids.front()));
}

TEST_F(FortuneTest, EndsTheProgramThatRunsWhenItIsNeededNoMore) {
  std::string pid;
  {
    Fortune fortune(program("echo $$ >>" + note() + "; exec sleep 1000"), a_long_time, 0s);
    fortune.line();
    pid = await_notes(1, [] {}).front();
  }
  EXPECT_FALSE(runs(pid));
}

TEST_F(FortuneTest, EndsAProgramThatGoesOnAfterItsOutput) {
  const std::string script =
      "sleep 1000 >/dev/null & echo $! >>" + note() + "; echo A line.; exec >&-; exec sleep 1000";
  Fortune fortune(program(script), 300ms, 0s);
  const auto pids = await_notes(3, [&] { EXPECT_TRUE(is_saying(fortune.line())); });
  for (std::size_t i = 0; i < 2; ++i) {  // what it began, too
    for (int patience = 60'000; runs(pids[i]) && patience > 0; --patience) std::this_thread::sleep_for(1ms);
    EXPECT_FALSE(runs(pids[i])) << i;
  }
}

TEST_F(FortuneTest, TheProgramHasNoSignalBlocked) {
  sigset_t blocked, before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &blocked, &before), 0);
  Fortune fortune(program("grep SigBlk: /proc/self/status"), a_long_time, 0s);
  EXPECT_EQ(line_of_the_program(fortune), "SigBlk: 0000000000000000");
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_F(FortuneTest, PassesOverWhatIsNoLineOfText) {
  for (const std::string script : {"exit 1", "true", "printf 'a\\033[2Jb'", "printf 'a\\377'",
                                   "yes x | head -c 600 | tr '\\n' x", "echo; kill -9 $$"}) {
    fs::remove(note());
    Fortune fortune(program("echo $$ >>" + note() + "; " + script), a_long_time, 0s);
    // The first two have been looked at when the third is there.
    await_notes(3, [&] {
      const auto line = fortune.line();
      EXPECT_TRUE(is_saying(line)) << script << ": " << line;
    });
    const auto line = fortune.line();
    EXPECT_TRUE(is_saying(line)) << script << ": " << line;
  }
}

}  // namespace
}  // namespace pbotvm::service

// SPDX-License-Identifier: MIT
#include "paste/store.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

#include "pbotvm/error.h"

namespace pbotvm::paste {
namespace {

namespace fs = std::filesystem;

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    std::string name = (fs::temp_directory_path() / "pbotvm-paste-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~StoreTest() override { fs::remove_all(folder_); }

  fs::path directory() const { return folder_ / "paste"; }
  std::string content(const std::string& name) const {
    std::ifstream file(directory() / name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  std::set<std::string> names() const {
    std::set<std::string> all;
    for (const auto& entry : fs::directory_iterator(directory())) all.insert(entry.path().filename());
    return all;
  }
  void make_older(const std::string& name, int hours) const {
    fs::last_write_time(directory() / name, fs::file_time_type::clock::now() - std::chrono::hours(hours));
  }

  fs::path folder_;
};

TEST_F(StoreTest, KeepsATextForItsGroupUnderANameThatNobodyCanGuess) {
  Store store(directory(), {10, 1u << 20});
  const auto first = store.keep("one\n", "prog.c"), second = store.keep("one\n", "prog.c");
  EXPECT_EQ(content(first), "one\n");
  EXPECT_NE(first, second);
  EXPECT_EQ(first.size(), 32u + 2);
  EXPECT_TRUE(first.ends_with(".c"));
  EXPECT_EQ(names(), (std::set<std::string>{first, second}));
  struct stat status {};
  ASSERT_EQ(::stat(directory().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0750u);
  ASSERT_EQ(::stat((directory() / first).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640u);
}

TEST_F(StoreTest, TakesOnlyAPlainExtension) {
  Store store(directory(), {10, 1u << 20});
  for (const char* like : {"", "prog", "prog.", "prog.c/d", "prog.a b", "prog.waytoolongextension"})
    EXPECT_TRUE(store.keep("x", like).ends_with(".txt")) << like;
  EXPECT_TRUE(store.keep("x", "a.tar.py3").ends_with(".py3"));
}

TEST_F(StoreTest, LetsTheOldestGoFirstWhenThereAreTooMany) {
  Store store(directory(), {3, 1u << 20});
  const auto a = store.keep("a", "p.c"), b = store.keep("b", "p.c"), c = store.keep("c", "p.c");
  make_older(a, 1);
  make_older(b, 3);
  make_older(c, 2);
  const auto d = store.keep("d", "p.c");
  EXPECT_EQ(names(), (std::set<std::string>{a, c, d}));
  const auto e = store.keep("e", "p.c");
  EXPECT_EQ(names(), (std::set<std::string>{a, d, e}));
}

TEST_F(StoreTest, KeepsItsBoundOfBytesAndRefusesWhatAloneIsMore) {
  Store store(directory(), {100, 100});
  const auto a = store.keep(std::string(60, 'a'), "p.c");
  make_older(a, 1);
  const auto b = store.keep(std::string(60, 'b'), "p.c");
  EXPECT_EQ(names(), (std::set<std::string>{b}));
  EXPECT_THROW(store.keep(std::string(101, 'c'), "p.c"), Error);
  EXPECT_EQ(names(), (std::set<std::string>{b}));
}

TEST_F(StoreTest, LeavesAloneWhatIsNotItsOwnAndClearsWhatAnEndedHostLeft) {
  fs::create_directory(directory());
  std::ofstream(directory() / "index.html") << std::string(1000, 'x');
  std::ofstream(directory() / ".new-0123.c") << "half";
  fs::create_symlink("/etc/passwd", directory() / (std::string(32, 'a') + ".c"));
  Store store(directory(), {1, 100});
  const auto a = store.keep("a", "p.c");
  EXPECT_EQ(names(), (std::set<std::string>{"index.html", std::string(32, 'a') + ".c", a}));
}

TEST_F(StoreTest, RefusesWhatIsNoDirectoryOfItsOwn) {
  fs::create_directory(folder_ / "elsewhere");
  fs::create_directory_symlink(folder_ / "elsewhere", directory());
  Store store(directory(), {10, 1000});
  EXPECT_THROW(store.keep("a", "p.c"), Error);
  EXPECT_TRUE(fs::is_empty(folder_ / "elsewhere"));
}

TEST_F(StoreTest, KeepsItsBoundsWhenManyPasteAtTheSameTime) {
  Store store(directory(), {5, 1u << 20});
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&store] {
      for (int n = 0; n < 25; ++n) store.keep("text", "p.c");
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(names().size(), 5u);
}

}  // namespace
}  // namespace pbotvm::paste

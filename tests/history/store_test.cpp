// SPDX-License-Identifier: MIT
#include "history/store.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <optional>
#include <thread>

#include "temporary_folder.h"

namespace pbotvm::history {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const Owner c{"#c", "c11"};

class StoreTest : public testing::Test {
 protected:
  static std::vector<std::string> texts(Store& store, const Owner& owner, std::size_t count = 100,
                                        std::size_t skip = 0) {
    std::vector<std::string> texts;
    for (const auto& entry : store.newest(owner, count, skip)) texts.push_back(entry.text);
    return texts;
  }
  static void add(Store& store, const Owner& owner, const std::string& text) { store.commit(owner, {}, 0, text); }

  TemporaryFolder folder_;
};

TEST_F(StoreTest, KeepsTheNewestFirstForEachChannelAndLanguage) {
  Store store(folder_.file(), {});
  add(store, c, "1");
  add(store, c, "2");
  add(store, {"#c", "sh"}, "3");
  add(store, {"#d", "c11"}, "4");
  EXPECT_THAT(texts(store, c), ElementsAre("2", "1"));
  EXPECT_THAT(texts(store, c, 1), ElementsAre("2"));
  EXPECT_THAT(texts(store, c, 1, 1), ElementsAre("1"));
  EXPECT_THAT(texts(store, {"#c", "sh"}), ElementsAre("3"));
  EXPECT_THAT(texts(store, {"", "c11"}), IsEmpty());
}

TEST_F(StoreTest, OutlivesItsProcess) {
  {
    Store store(folder_.file(), {});
    add(store, c, std::string("a\0b\xff", 4));
  }
  Store store(folder_.file(), {});
  EXPECT_THAT(texts(store, c), ElementsAre(std::string("a\0b\xff", 4)));
  EXPECT_EQ(store.bytes(), 4 + Store::entry_overhead);
}

TEST_F(StoreTest, IsItsOwnersAlone) {
  Store store(folder_.file(), {});
  add(store, c, "1");
  for (const char* part : {"", "-wal", "-shm"}) {
    struct stat there {};
    ASSERT_EQ(::stat((folder_.file() + part).c_str(), &there), 0) << part;
    EXPECT_EQ(there.st_mode & 0777, 0600u) << part;
  }
}

TEST_F(StoreTest, DoesNotRepeatWhatIsTheNewest) {
  Store store(folder_.file(), {});
  for (const char* text : {"1", "1", "2", "1"}) add(store, c, text);
  EXPECT_THAT(texts(store, c), ElementsAre("1", "2", "1"));
}

TEST_F(StoreTest, DropsAndAddsAtOnceUnlessAnotherCameFirst) {
  Store store(folder_.file(), {});
  for (const char* text : {"1", "2", "3"}) add(store, c, text);
  const auto newest = store.newest(c, 1).front().id;
  EXPECT_FALSE(store.commit(c, newest - 1, 2, "x"));
  EXPECT_FALSE(store.commit(c, 0, 2, "x"));
  EXPECT_THAT(texts(store, c), ElementsAre("3", "2", "1"));
  EXPECT_TRUE(store.commit(c, newest, 2, "x"));
  EXPECT_THAT(texts(store, c), ElementsAre("x", "1"));
  // Dropped numbers are not given again: nobody takes another entry for his own.
  EXPECT_GT(store.newest(c, 1).front().id, newest);
  EXPECT_TRUE(store.commit(c, {}, 9, {}));
  EXPECT_THAT(texts(store, c), IsEmpty());
  EXPECT_EQ(store.bytes(), 0u);
}

TEST_F(StoreTest, BoundsTheEntriesOfAChannelAndLanguage) {
  Store store(folder_.file(), {3, 64 << 20});
  for (int i = 0; i < 10; ++i) add(store, c, std::to_string(i));
  add(store, {"#d", "c11"}, "d");
  EXPECT_THAT(texts(store, c), ElementsAre("9", "8", "7"));
  EXPECT_EQ(store.bytes(), 4 * (1 + Store::entry_overhead));
}

TEST_F(StoreTest, PushesOutTheOldestOfAllBeyondItsSize) {
  constexpr std::uint64_t size = 8 << 20;
  Store store(folder_.file(), {10'000, size});
  const std::string large(300'000, 'x');
  for (int i = 0; i < 100; ++i) add(store, {"#" + std::to_string(i), "sh"}, large + std::to_string(i));
  EXPECT_LE(store.bytes(), size);
  EXPECT_GT(store.bytes(), size / 2);
  EXPECT_THAT(texts(store, {"#0", "sh"}), IsEmpty());
  EXPECT_EQ(texts(store, {"#99", "sh"}).size(), 1u);
  // One channel has at most a quarter, so that it does not push out the others'.
  for (int i = 0; i < 100; ++i) add(store, c, large + std::to_string(i));
  EXPECT_LE(texts(store, c).size(), size / 4 / large.size());
  EXPECT_EQ(texts(store, {"#99", "sh"}).size(), 1u);
  EXPECT_LT(std::filesystem::file_size(folder_.file()), 3 * size);
}

TEST_F(StoreTest, CountsTheSameWhenOpenedAgain) {
  std::uint64_t before = 0;
  {
    Store store(folder_.file(), {5, 8 << 20});
    for (int i = 0; i < 200; ++i) add(store, {"#" + std::to_string(i % 7), "sh"}, std::string(50'000 + i, 'x'));
    store.commit({"#1", "sh"}, {}, 2, "short");
    before = store.bytes();
  }
  Store store(folder_.file(), {5, 8 << 20});
  EXPECT_EQ(store.bytes(), before);
  EXPECT_GT(before, 0u);
}

TEST_F(StoreTest, HoldsAnEntryOfTheLargestSizeWhateverItsBounds) {
  Store store(folder_.file(), {1, 1});
  add(store, c, std::string(1 << 20, 'x'));
  EXPECT_EQ(store.newest(c, 1).front().text.size(), 1u << 20);
}

// Repeats what fails for a lock that stays for longer than a request may wait.
template <typename Function>
void until_not_busy(Function function) {
  for (;;) {
    try {
      return function();
    } catch (const DatabaseBusy&) {
      std::this_thread::yield();
    }
  }
}

// Two connections, as two processes would have.
TEST_F(StoreTest, IsSafeBesideAnotherOne) {
  Store store(folder_.file(), {1000, 64 << 20});
  const auto work = [this](const std::string& channel) {
    try {
      std::optional<Store> own;
      until_not_busy([&] { own.emplace(folder_.file(), Bounds{1000, 64 << 20}); });
      for (int i = 0; i < 200; ++i) until_not_busy([&] { add(*own, {channel, "sh"}, std::to_string(i)); });
    } catch (const std::exception& e) {
      ADD_FAILURE() << channel << ": " << e.what();
    }
  };
  std::thread one(work, "#one"), two(work, "#two");
  one.join();
  two.join();
  EXPECT_EQ(texts(store, {"#one", "sh"}, 1000).size(), 200u);
  EXPECT_EQ(texts(store, {"#two", "sh"}, 1000).size(), 200u);
}

// Whoever comes first makes the file; nobody is refused for it.
TEST_F(StoreTest, ManyMayMakeItAtOnce) {
  std::vector<std::thread> all;
  for (int i = 0; i < 8; ++i) {
    all.emplace_back([this, i] {
      try {
        until_not_busy([&] {
          Store store(folder_.file(), {});
          add(store, {"#" + std::to_string(i), "sh"}, "x");
        });
      } catch (const std::exception& e) {
        ADD_FAILURE() << e.what();
      }
    });
  }
  for (auto& thread : all) thread.join();
  Store store(folder_.file(), {});
  EXPECT_EQ(store.bytes(), 8 * (1 + Store::entry_overhead));
}

}  // namespace
}  // namespace pbotvm::history

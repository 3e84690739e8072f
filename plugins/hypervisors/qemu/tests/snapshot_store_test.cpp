// SPDX-License-Identifier: MIT
#include "snapshot_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pbotvm/error.h"
#include "temporary_directory.h"

namespace pbotvm::qemu {
namespace {

using pbotvm::testing::TemporaryDirectory;
using pbotvm::testing::write_text;

TEST(SnapshotStore, HasNoneAtFirst) {
  const TemporaryDirectory directory;
  EXPECT_FALSE(SnapshotStore(directory.path()).fits(""));
  EXPECT_FALSE(SnapshotStore(directory.path()).fits("a\n"));
}

TEST(SnapshotStore, FitsOnlyTheStampThatItWasMadeWith) {
  const TemporaryDirectory directory;
  SnapshotStore store(directory.path());
  write_text(store.new_file(), "memory");
  store.replace("memory 1024\ncpus 1\n");
  const SnapshotStore later(directory.path());
  EXPECT_TRUE(later.fits("memory 1024\ncpus 1\n"));
  EXPECT_FALSE(later.fits("memory 1024\ncpus 2\n"));
  EXPECT_FALSE(later.fits("memory 1024\n"));
  EXPECT_FALSE(later.fits("memory 1024\ncpus 1\nmore\n"));
  EXPECT_FALSE(std::filesystem::exists(store.new_file()));
}

TEST(SnapshotStore, FitsNothingOnceForgotten) {
  const TemporaryDirectory directory;
  SnapshotStore store(directory.path());
  write_text(store.new_file(), "memory");
  store.replace("a");
  store.forget();
  EXPECT_FALSE(store.fits("a"));
}

TEST(SnapshotStore, FitsNothingWithoutItsFile) {
  const TemporaryDirectory directory;
  SnapshotStore store(directory.path());
  write_text(store.new_file(), "memory");
  store.replace("a");
  std::filesystem::remove(store.file());
  EXPECT_FALSE(store.fits("a"));
}

TEST(SnapshotStore, KeepsTheOldOneWhenThereIsNoNewOne) {
  const TemporaryDirectory directory;
  SnapshotStore store(directory.path());
  write_text(store.new_file(), "memory");
  store.replace("a");
  EXPECT_THROW(store.replace("b"), Error);
  EXPECT_TRUE(store.fits("a"));
}

TEST(SnapshotStore, KeepsThoseWithNamesApart) {
  const TemporaryDirectory directory;
  for (const std::string name : {"", "a", "a.new", "b-2"}) {
    SnapshotStore store(directory.path(), name);
    write_text(store.new_file(), "memory");
    store.replace("stamp of " + name);
  }
  write_text(SnapshotStore(directory.path(), "unfinished").new_file(), "memory");
  EXPECT_THAT(SnapshotStore::further(directory.path()), ::testing::UnorderedElementsAre("a", "a.new", "b-2"));
  EXPECT_TRUE(SnapshotStore(directory.path(), "a").fits("stamp of a"));
  EXPECT_FALSE(SnapshotStore(directory.path(), "b-2").fits("stamp of a"));
  SnapshotStore(directory.path(), "a").remove();
  EXPECT_THAT(SnapshotStore::further(directory.path()), ::testing::UnorderedElementsAre("a.new", "b-2"));
  EXPECT_TRUE(SnapshotStore(directory.path()).fits("stamp of "));
}

TEST(SnapshotStore, TakesOnlyNamesThatAreNoPaths) {
  for (const std::string name : {"a", "1", "before-update_2.1", "A"}) EXPECT_TRUE(is_snapshot_name(name)) << name;
  for (const std::string name : {"", ".", "..", "../a", "a/b", "-a", "a b", "a\n", "\xc3\xa4"})
    EXPECT_FALSE(is_snapshot_name(name)) << name;
  EXPECT_TRUE(is_snapshot_name(std::string(longest_snapshot_name, 'a')));
  EXPECT_FALSE(is_snapshot_name(std::string(longest_snapshot_name + 1, 'a')));
}

}  // namespace
}  // namespace pbotvm::qemu

// SPDX-License-Identifier: MIT
#include "snapshot_store.h"

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

}  // namespace
}  // namespace pbotvm::qemu

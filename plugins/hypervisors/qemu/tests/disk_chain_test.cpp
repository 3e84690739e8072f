// SPDX-License-Identifier: MIT
#include "disk_chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "disk_claims.h"
#include "pbotvm/settings.h"
#include "temporary_directory.h"

namespace pbotvm::qemu {
namespace {

using pbotvm::testing::TemporaryDirectory;
using pbotvm::testing::write_text;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// As much of a qcow2 file as says what its backing file is: magic, version 3, where the name is and how long.
void write_qcow2(const std::string& file, const std::string& backing = {}) {
  std::string header("QFI\xfb\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  if (!backing.empty()) {
    header[15] = 20;
    header[19] = static_cast<char>(backing.size());
  }
  write_text(file, header + backing);
}

TEST(DiskChain, FollowsBackingFilesAsEachNamesThem) {
  const TemporaryDirectory directory;
  const std::string base = directory.file("base.raw");
  write_text(base, "data");
  write_qcow2(directory.file("middle"), "base.raw");  // beside it
  write_qcow2(directory.file("top"), directory.file("middle"));
  EXPECT_THAT(disk_chain({.file = directory.file("top")}),
              ElementsAre(directory.file("top"), directory.file("middle"), base));
  EXPECT_THAT(disk_chain({.file = base, .format = "raw"}), ElementsAre(base));
}

TEST(DiskChain, EndsWhereFilesNameEachOther) {
  const TemporaryDirectory directory;
  write_qcow2(directory.file("a"), "b");
  write_qcow2(directory.file("b"), "a");
  EXPECT_EQ(longest_chain, disk_chain({.file = directory.file("a")}).size());
}

TEST(DiskChain, TakesNothingFromABrokenHeader) {
  const TemporaryDirectory directory;
  for (const std::string& text : {std::string(), std::string("QFI"),
                                  std::string("QFI\xfb\0\0\0\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 20)}) {
    write_text(directory.file("a"), text);
    EXPECT_THAT(disk_chain({.file = directory.file("a")}), ElementsAre(directory.file("a")));
  }
}

TEST(DiskIdentity, ChangesWithTheBaseButNotWithWhatIsWritten) {
  const TemporaryDirectory directory;
  write_text(directory.file("base"), "data");
  write_qcow2(directory.file("top"), "base");
  const Disk disk{.file = directory.file("top")};
  const std::string before = disk_identity(disk);
  std::ofstream(directory.file("top"), std::ios::app) << "more";
  EXPECT_EQ(before, disk_identity(disk));
  std::ofstream(directory.file("base"), std::ios::app) << "more";
  EXPECT_NE(before, disk_identity(disk));
}

std::string complaint(DiskClaims& claims, const std::string& machine, const std::vector<Disk>& disks) {
  try {
    claims.claim(machine, disks);
  } catch (const ConfigurationError& error) {
    return error.what();
  }
  return "no complaint";
}

TEST(DiskClaims, LetNobodyHaveADiskThatAnotherMachineWritesTo) {
  const TemporaryDirectory directory;
  write_text(directory.file("base"), "data");
  write_qcow2(directory.file("top"), "base");
  write_qcow2(directory.file("other"), "base");
  DiskClaims claims;
  EXPECT_EQ("no complaint", complaint(claims, "a", {{.file = directory.file("top")}}));
  const std::string told = complaint(claims, "b", {{.file = directory.file("top"), .position = "p.yaml:7:9"}});
  EXPECT_THAT(told, HasSubstr("p.yaml:7:9: error: disk " + directory.file("top")));
  EXPECT_THAT(told, HasSubstr("machine 'a'"));
  EXPECT_THAT(complaint(claims, "b", {{.file = directory.file("top"), .read_only = true}}), HasSubstr("machine 'a'"));
  std::filesystem::create_symlink("top", directory.file("link"));
  EXPECT_THAT(complaint(claims, "b", {{.file = directory.file("link")}}), HasSubstr("machine 'a'"));
  EXPECT_EQ("no complaint", complaint(claims, "b", {{.file = directory.file("other")}}));  // the base is only read
  EXPECT_EQ("no complaint",
            complaint(claims, "c", {{.file = directory.file("base"), .format = "raw", .read_only = true}}));
}

TEST(DiskClaims, LetNobodyWriteToAFileThatIsUnderAnothersDisk) {
  const TemporaryDirectory directory;
  write_qcow2(directory.file("base"));
  write_qcow2(directory.file("top"), "base");
  DiskClaims claims;
  EXPECT_EQ("no complaint", complaint(claims, "a", {{.file = directory.file("top")}}));
  EXPECT_THAT(complaint(claims, "b", {{.file = directory.file("base")}}), HasSubstr("machine 'a'"));
  EXPECT_THAT(complaint(claims, "c", {{.file = directory.file("base")}, {.file = directory.file("base")}}),
              HasSubstr("machine"));
}

}  // namespace
}  // namespace pbotvm::qemu

// SPDX-License-Identifier: MIT
#include "service/file_archive.h"

#include <gmock/gmock.h>

#include <cstdio>

#include "pbotvm/error.h"

namespace pbotvm::service {
namespace {

// One header of a tar archive, as POSIX has it, and its content.
std::string tar_entry(const std::string& path, char type, const std::string& content, const std::string& link = {}) {
  std::string header(512, '\0');
  header.replace(0, path.size(), path);
  header.replace(100, 7, "0000644");
  header.replace(108, 7, "0000000");
  header.replace(116, 7, "0000000");
  char size[12];
  std::snprintf(size, sizeof size, "%011zo", content.size());
  header.replace(124, 11, size);
  header.replace(136, 11, "00000000000");
  header.replace(148, 8, "        ");
  header[156] = type;
  header.replace(157, link.size(), link);
  header.replace(257, 8,
                 std::string("ustar\0"
                             "00",
                             8));
  unsigned sum = 0;
  for (const unsigned char byte : header) sum += byte;
  char digits[8];
  std::snprintf(digits, sizeof digits, "%06o", sum);
  header.replace(148, 7, std::string(digits, 7));
  std::string padded = content;
  padded.resize((content.size() + 511) / 512 * 512);
  return header + padded;
}

const std::string the_end(1024, '\0');

std::string damage(const std::string& archive, std::size_t files = 10, std::uint64_t bytes = 10'000) {
  try {
    unpack_files(archive, files, bytes);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::protocol);
    return e.what();
  }
  return "accepted";
}

TEST(FileArchiveTest, ReadsAnOrdinaryTarFile) {
  const auto files = unpack_files(tar_entry("a/b", '0', "text") + tar_entry("c", '0', "") + the_end, 10, 100);
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].path, "a/b");
  EXPECT_EQ(files[0].content, "text");
  EXPECT_EQ(files[0].mode, 0644u);
}

TEST(FileArchiveTest, MakesTheSameBytesOfTheSameFiles) {
  const std::vector<JobFile> files = {{"a", "x"}, {std::string(200, 'n') + "/" + std::string(200, 'm'), "y"}};
  EXPECT_EQ(pack_files(files), pack_files(files));
}

TEST(FileArchiveTest, RefusesWhatLeadsOutOfItsDirectory) {
  for (const char* path : {"/etc/passwd", "../x", "a/../../x", "a//b", "./a", ".."}) {
    EXPECT_THAT(damage(tar_entry(path, '0', "x") + the_end), testing::HasSubstr("is damaged: a file ")) << path;
  }
  EXPECT_THAT(damage(tar_entry("a\xFF", '0', "x") + the_end), testing::HasSubstr("not UTF-8"));
}

TEST(FileArchiveTest, RefusesWhatIsNoRegularFile) {
  EXPECT_THAT(damage(tar_entry("link", '2', "", "/etc/passwd") + the_end), testing::HasSubstr("not a regular file"));
  EXPECT_THAT(damage(tar_entry("hard", '1', "", "x") + the_end), testing::HasSubstr("not a regular file"));
  for (const char type : {'3', '4', '5', '6'}) {
    EXPECT_THAT(damage(tar_entry("x", type, "") + the_end), testing::HasSubstr("not a regular file")) << type;
  }
}

TEST(FileArchiveTest, RefusesTwoFilesInOnePlace) {
  EXPECT_THAT(damage(tar_entry("a", '0', "x") + tar_entry("a", '0', "y") + the_end), testing::HasSubstr("named twice"));
  EXPECT_THAT(damage(tar_entry("a", '0', "x") + tar_entry("a/b", '0', "y") + the_end),
              testing::HasSubstr("needs a directory"));
}

TEST(FileArchiveTest, BoundsWhatItReads) {
  std::string many;
  for (int i = 0; i < 11; ++i) many += tar_entry(std::to_string(i), '0', "x");
  EXPECT_THAT(damage(many + the_end), testing::HasSubstr("too many files"));
  EXPECT_THAT(
      damage(tar_entry("a", '0', std::string(6000, 'x')) + tar_entry("b", '0', std::string(6000, 'x')) + the_end),
      testing::HasSubstr("too large"));
  std::string huge = tar_entry("a", '0', "");
  huge.replace(124, 11, "77777777777");
  EXPECT_THAT(damage(huge + the_end), testing::HasSubstr("damaged"));
}

TEST(FileArchiveTest, RefusesAnArchiveWithAnyOfItsBlocksDamaged) {
  const std::string whole = pack_files({{"a/\xC3\xA9", std::string(700, 'x'), 0755}, {"b", "y"}});
  EXPECT_EQ(damage(whole), "accepted");
  for (std::size_t size = 1; size + 1024 < whole.size(); size += 61) damage(whole.substr(0, size));
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    std::string broken = whole;
    broken[at] = static_cast<char>(broken[at] ^ 0x55);
    damage(broken);  // accepted or refused, never anything else: names and contents carry no checksum
  }
  EXPECT_THAT(damage("not an archive at all"), testing::HasSubstr("damaged"));
  EXPECT_THAT(damage(whole.substr(0, 1400)), testing::HasSubstr("damaged"));
}

}  // namespace
}  // namespace pbotvm::service

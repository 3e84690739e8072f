// SPDX-License-Identifier: MIT
#include "cli/plugin_new.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <fstream>
#include <sstream>

#include "pbotvm/error.h"

namespace pbotvm::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class NewPlugin : public testing::Test {
 protected:
  NewPlugin() {
    std::string pattern = (fs::temp_directory_path() / "pbotvm-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern);
    folder_ = pattern;
    fs::create_directory(folder_ / "templates");
    std::ofstream(folder_ / "templates" / "a.txt") << "@NAME@ @CLASS@ @NAME@ $NAME @OTHER@";
  }
  ~NewPlugin() override { fs::remove_all(folder_); }

  std::string written(const fs::path& file) const {
    std::ostringstream text;
    text << std::ifstream(folder_ / file).rdbuf();
    return text.str();
  }

  fs::path folder_;
};

TEST_F(NewPlugin, PutsTheNameIntoEveryFile) {
  EXPECT_THAT(write_plugin_project(folder_ / "templates", "small-vm", folder_ / "x" / "y"),
              testing::ElementsAre("a.txt"));
  EXPECT_EQ(written("x/y/a.txt"), "small-vm SmallVm small-vm $NAME @OTHER@");
}

TEST_F(NewPlugin, NeverTouchesWhatIsThere) {
  fs::create_directory(folder_ / "x");
  fs::create_symlink("nowhere", folder_ / "link");
  for (const char* taken : {"x", "link", "templates/a.txt"}) {
    try {
      write_plugin_project(folder_ / "templates", "n", folder_ / taken);
      FAIL() << taken;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::refused);
      EXPECT_THAT(error.what(), HasSubstr("--directory"));
    }
  }
  EXPECT_TRUE(fs::is_empty(folder_ / "x"));
}

TEST_F(NewPlugin, SaysWhereTheTemplatesShouldBe) {
  try {
    write_plugin_project(folder_ / "absent", "n", folder_ / "x");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
    EXPECT_THAT(error.what(), HasSubstr("absent"));
  }
  EXPECT_FALSE(fs::exists(folder_ / "x"));
}

TEST(PluginName, IsAFileNameAndAnIdentifier) {
  for (const char* good : {"a", "calc", "small-vm", "x11"}) EXPECT_THAT(flaw_of_plugin_name(good), IsEmpty()) << good;
  for (const char* bad : {"", "1st", "-a", "a-", "A", "a_b", "a/b", "..", "a b", "\xc3\xa4"})
    EXPECT_THAT(flaw_of_plugin_name(bad), Not(IsEmpty())) << bad;
  EXPECT_THAT(flaw_of_plugin_name(std::string(51, 'a')), Not(IsEmpty()));
}

}  // namespace
}  // namespace pbotvm::cli

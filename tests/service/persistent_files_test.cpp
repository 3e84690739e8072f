// SPDX-License-Identifier: MIT
#include "service/persistent_files.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <future>
#include <sstream>

#include "service/file_archive.h"

namespace pbotvm::service {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;

std::string read_whole(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

void write_whole(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

bool same(const std::vector<JobFile>& a, const std::vector<JobFile>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const JobFile& x, const JobFile& y) {
    return x.path == y.path && x.content == y.content && x.mode == y.mode;
  });
}

class PersistentFilesTest : public testing::Test {
 protected:
  ~PersistentFilesTest() override { fs::remove_all(directory); }

  std::unique_ptr<PersistentFiles::Lease> lease(const std::string& key, std::chrono::milliseconds patience = 10s) {
    return files.lease(key, Deadline::in(patience), {});
  }
  std::string refusal(const std::string& key, const std::vector<JobFile>& kept) {
    try {
      files.save(*lease(key), kept);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::refused);
      return e.what();
    }
    return "saved";
  }
  std::vector<std::string> names() {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(store)) found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  }

  static fs::path new_directory() {
    std::string name = (fs::temp_directory_path() / "pbotvm-persist-XXXXXX").string();
    return ::mkdtemp(name.data());
  }

  fs::path directory = new_directory();
  fs::path store = directory / "persist";
  PersistentFiles files{store, {1000, 3}};
};

TEST_F(PersistentFilesTest, GivesBackWhatWasSaved) {
  const std::vector<JobFile> kept = {{"a b/c\nd", std::string("\0\xFF\n", 3), 0755},
                                     {"empty", "", 0600},
                                     {"\xC3\xA9/" + std::string(250, 'x'), "y", 0644}};
  const auto mine = lease("k");
  EXPECT_TRUE(files.load(*mine).empty());
  files.save(*mine, kept);
  EXPECT_TRUE(same(files.load(*mine), kept));
  EXPECT_TRUE(files.load(*lease("other")).empty());
  struct stat info {};
  ASSERT_EQ(::stat(store.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(PersistentFilesTest, ForgetsAKeyWithoutFiles) {
  files.save(*lease("k"), {{"a", "x"}});
  files.save(*lease("k"), {});
  EXPECT_TRUE(names().empty());
  files.save(*lease("k"), {});
}

TEST_F(PersistentFilesTest, KeepsTheOldFilesWhereTheNewOnesAreTooMany) {
  files.save(*lease("k"), {{"a", "old"}});
  EXPECT_EQ(refusal("k", {{"a", std::string(600, 'x')}, {"b", std::string(401, 'x')}}),
            "1001 bytes are more than the 1000 that a key may keep");
  std::vector<JobFile> many;
  for (int i = 0; i < 129; ++i) many.push_back({std::to_string(i), ""});
  EXPECT_EQ(refusal("k", many), "129 files are more than the 128 that a key may keep");
  EXPECT_EQ(files.load(*lease("k")).at(0).content, "old");
}

TEST_F(PersistentFilesTest, KeepsTheOldFilesWhereTheNewOnesCouldNotBeReadAgain) {
  files.save(*lease("k"), {{"a", "old"}});
  EXPECT_THAT(refusal("k", {{"", "in the directory's own place"}}), HasSubstr("no \"path\""));
  EXPECT_THAT(refusal("k", {{"../up", ""}}), HasSubstr("'..'"));
  EXPECT_THAT(refusal("k", {{"\xFF", ""}}), HasSubstr("UTF-8"));
  EXPECT_THAT(refusal("k", {{"a", ""}, {"a", ""}}), HasSubstr("twice"));
  EXPECT_THAT(refusal("k", {{"a", ""}, {"a/b", ""}}), HasSubstr("needs a directory"));
  EXPECT_EQ(files.load(*lease("k")).at(0).content, "old");
  EXPECT_EQ(names(), std::vector<std::string>{"k.tar"});
}

TEST_F(PersistentFilesTest, BoundsTheNumberOfKeys) {
  for (const char* key : {"a", "b", "c"}) files.save(*lease(key), {{"f", key}});
  EXPECT_THAT(refusal("d", {{"f", "d"}}), HasSubstr("3 keys already"));
  files.save(*lease("a"), {{"f", "again"}});
  files.save(*lease("b"), {});
  files.save(*lease("d"), {{"f", "d"}});
  EXPECT_THAT(names(), testing::ElementsAre("a.tar", "c.tar", "d.tar"));
}

TEST_F(PersistentFilesTest, LetsOneAfterTheOtherHaveAKey) {
  auto first = lease("k");
  EXPECT_NE(lease("other"), nullptr);
  EXPECT_EQ(lease("k", 10ms), nullptr);
  auto second = std::async(std::launch::async, [this] { return lease("k"); });
  EXPECT_EQ(second.wait_for(20ms), std::future_status::timeout);
  first.reset();
  EXPECT_NE(second.get(), nullptr);
  EXPECT_NE(lease("k"), nullptr);
}

TEST_F(PersistentFilesTest, WaitsNoLongerThanItsClient) {
  const auto first = lease("k");
  std::stop_source stop;
  auto second =
      std::async(std::launch::async, [&] { return files.lease("k", Deadline::in(1h), stop.get_token()) == nullptr; });
  stop.request_stop();
  EXPECT_TRUE(second.get());
}

TEST_F(PersistentFilesTest, PutsADamagedArchiveAsideAndLosesNothing) {
  files.save(*lease("k"), {{"a", std::string(900, 'x')}});
  const std::string whole = read_whole(store / "k.tar");
  const std::string cut = whole.substr(0, 1200);
  write_whole(store / "k.tar", cut);
  EXPECT_THROW(files.load(*lease("k")), Error);
  ASSERT_EQ(names().size(), 1u);
  EXPECT_THAT(names()[0], testing::StartsWith("k.tar.damaged-"));
  EXPECT_EQ(read_whole(store / names()[0]), cut);
  EXPECT_TRUE(files.load(*lease("k")).empty());
  write_whole(store / "k.tar", "not an archive");
  EXPECT_THROW(files.load(*lease("k")), Error);
  EXPECT_EQ(names().size(), 2u);
}

TEST_F(PersistentFilesTest, FollowsNoLinkThatSomebodyPutInItsPlace) {
  files.save(*lease("k"), {{"a", "x"}});
  write_whole(directory / "target", "untouched");
  fs::create_symlink(directory / "target", store / "l.tar");
  EXPECT_THROW(files.load(*lease("l")), Error);
  EXPECT_THROW(files.save(*lease("l"), {{"a", "x"}}), Error);
  fs::create_symlink(directory / "target", store / ".new-m.tar");
  files.save(*lease("m"), {{"a", "x"}});
  EXPECT_EQ(files.load(*lease("m")).size(), 1u);
  EXPECT_EQ(read_whole(directory / "target"), "untouched");
}

TEST_F(PersistentFilesTest, ClearsUpAfterAHostThatEndedWhileItWrote) {
  fs::create_directory(store);
  write_whole(store / ".new-k.tar", "half");
  EXPECT_TRUE(files.load(*lease("k")).empty());
  EXPECT_TRUE(names().empty());
}

// A process is killed again and again at any moment of replacing an archive: what lies there is always whole.
TEST_F(PersistentFilesTest, LeavesTheOldOrTheNewArchiveWhenItsProcessIsKilled) {
  const std::vector<JobFile> odd = {{"f", std::string(700, 'o')}}, even = {{"f", std::string(900, 'e')}, {"g", "e"}};
  files.save(*lease("k"), odd);
  for (int round = 0; round < 40; ++round) {
    const pid_t writer = ::fork();
    ASSERT_GE(writer, 0);
    if (writer == 0) {
      PersistentFiles other{store, {1000, 3}};
      const auto mine = other.lease("k", Deadline::in(10s), {});
      for (;;) {
        other.save(*mine, even);
        other.save(*mine, odd);
      }
    }
    ::usleep(static_cast<useconds_t>(500 + round * 211));
    ::kill(writer, SIGKILL);
    ::waitpid(writer, nullptr, 0);
    PersistentFiles after{store, {1000, 3}};
    const auto kept = after.load(*after.lease("k", Deadline::in(10s), {}));
    EXPECT_TRUE(same(kept, odd) || same(kept, even));
    EXPECT_THAT(names(), testing::ElementsAre("k.tar"));
  }
}

}  // namespace
}  // namespace pbotvm::service

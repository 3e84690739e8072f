// SPDX-License-Identifier: MIT
#include "history/history.h"

#include <Poco/AutoPtr.h>
#include <Poco/Logger.h>
#include <Poco/StreamChannel.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "temporary_folder.h"

namespace pbotvm::history {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class HistoryTest : public testing::Test {
 protected:
  HistoryTest() : history_(std::make_unique<History>(folder_.file(), Bounds{})) {
    auto& logger = Poco::Logger::get("history");
    logger.setChannel(Poco::AutoPtr<Poco::Channel>(new Poco::StreamChannel(log_)));
  }
  ~HistoryTest() override { Poco::Logger::get("history").setChannel(nullptr); }

  // "run: CODE" or the reply's text.
  std::string say(const std::string& text, const std::string& channel = "#c", const std::string& language = "c11") {
    return described(history_->apply(channel, language, text));
  }
  static std::string described(const Answer& answer) {
    if (const auto* run = std::get_if<RunThis>(&answer)) return "run: " + run->code;
    return std::get<Reply>(answer).text;
  }
  bool fails(const std::string& text) {
    const auto answer = history_->apply("#c", "c11", text);
    return std::holds_alternative<Reply>(answer) && std::get<Reply>(answer).failed;
  }
  void anew() { history_ = std::make_unique<History>(folder_.file(), Bounds{}); }
  std::size_t complaints() const {
    const std::string text = log_.str();
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  TemporaryFolder folder_;
  std::ostringstream log_;
  std::unique_ptr<History> history_;
};

TEST_F(HistoryTest, LeavesOrdinaryCodeAsItIs) {
  for (const std::string text :
       {"puts(\"a\");", " -x  y", "-O2   -info  int x; -stdin  5\\n", "", "-info", "-stdin x"}) {
    EXPECT_EQ(say(text), "run: " + text);
  }
}

TEST_F(HistoryTest, RunsAndShowsTheLastCode) {
  say("one");
  say("two");
  EXPECT_EQ(say("show"), "two");
  EXPECT_EQ(say("run"), "run: two");
  EXPECT_EQ(say("again"), "run: two");
  EXPECT_EQ(say("paste"), "run: -paste two");
  EXPECT_EQ(say("show"), "two");
  EXPECT_EQ(say("undo"), "one");
}

TEST_F(HistoryTest, IsOneForEachChannelAndLanguage) {
  say("code");
  EXPECT_EQ(say("run", "#d"), "No recent c11 code to run here.");
  EXPECT_EQ(say("run", "#c", "sh"), "No recent sh code to run here.");
  EXPECT_EQ(say("run", ""), "No recent c11 code to run here.");
  EXPECT_EQ(say("run", " #C "), "run: code");
  say("without a channel", "");
  EXPECT_EQ(say("show", ""), "without a channel");
}

TEST_F(HistoryTest, EditsTheLastCodeAndKeepsTheResult) {
  say("puts(\"Hello, world\");");
  EXPECT_EQ(say("s/Hello/Bye/ and replace 'world' with 'all'"), "run: puts(\"Bye, all\");");
  EXPECT_EQ(say("show"), "puts(\"Bye, all\");");
  EXPECT_EQ(say("append 'x;' and show"), "puts(\"Bye, all\"); x;");
  EXPECT_EQ(say("run"), "run: puts(\"Bye, all\"); x;");
  EXPECT_EQ(say("undo"), "puts(\"Bye, all\");");
  EXPECT_EQ(say("undo"), "puts(\"Hello, world\");");
  EXPECT_EQ(say("undo"), "There is nothing before it to go back to.");
  EXPECT_EQ(say("show"), "puts(\"Hello, world\");");
}

TEST_F(HistoryTest, UndoesSeveralAndGoesOn) {
  for (const char* code : {"1", "2", "3", "4"}) say(code);
  EXPECT_EQ(say("undo 2 and run"), "run: 2");
  EXPECT_EQ(say("show"), "2");
  EXPECT_EQ(say("undo and append '!'"), "run: 1 !");
  EXPECT_EQ(say("undo 2"), "Only 2 pieces of c11 code are remembered here: undo 1 goes back to the first of them.");
  EXPECT_EQ(say("undo 9"), "Only 2 pieces of c11 code are remembered here: undo 1 goes back to the first of them.");
  EXPECT_EQ(say("undo"), "1");
  EXPECT_EQ(say("undo 9"), "There is nothing before it to go back to.");
  EXPECT_EQ(say("undo", "#empty"), "No recent c11 code to undo here.");
}

TEST_F(HistoryTest, OptionsAndInputBesideAnEditAreForWhatItRuns) {
  say("-O1 one -stdin 1");
  say("-O1 two -stdin 2");
  EXPECT_EQ(say("-O3 show"), "-O1 two -stdin 2");
  EXPECT_EQ(say("-O3 s/two/three/ and show"), "-O1 three -stdin 2");
  EXPECT_EQ(say("-O3 undo -stdin 3"), "-O1 two -stdin 2");
  EXPECT_EQ(say("-O3 undo and diff"), "Only one piece of c11 code is remembered: nothing to compare it with.");
  EXPECT_EQ(say("show"), "-O1 one -stdin 1");
  EXPECT_EQ(say("-O3 run -stdin 3"), "run: -O3 one -stdin 3");
  EXPECT_EQ(say("again"), "run: -O3 one -stdin 3");
  EXPECT_EQ(say("-O2 paste"), "run: -paste -O2 one -stdin 3");
}

TEST_F(HistoryTest, ReadsOptionsAsTheLanguageDoes) {
  const OptionReading valued{true, {"-o"}}, none{false, {}};
  EXPECT_EQ(described(history_->apply("#c", "sh", "-o pipefail true", valued)), "run: -o pipefail true");
  EXPECT_EQ(described(history_->apply("#c", "sh", "s/true/false/", valued)), "run: -o pipefail false");
  EXPECT_EQ(described(history_->apply("#c", "sh", "-o noglob run", valued)), "run: -o noglob false");
  EXPECT_EQ(described(history_->apply("#c", "bc", "-x run", none)), "run: -x run");
}

TEST_F(HistoryTest, KeepsNothingOfAnEditThatFails) {
  say("int x;");
  EXPECT_TRUE(fails("s/int/long/ and replace 'nothing' with 'y'"));
  EXPECT_TRUE(fails("s/(/x/"));
  EXPECT_TRUE(fails("remove 'int x;'"));
  EXPECT_TRUE(fails("replace 'int' wiht 'y'"));
  EXPECT_EQ(say("show"), "int x;");
  EXPECT_TRUE(fails("undo"));
}

TEST_F(HistoryTest, ShowsWhatDiffers) {
  say("puts(\"a\");");
  EXPECT_EQ(say("diff"), "Only one piece of c11 code is remembered: nothing to compare it with.");
  say("puts(\"b\");");
  EXPECT_EQ(say("diff"), "puts(\"[-a-]{+b+}\");");
  EXPECT_EQ(say("s/b/c/ and diff"), "puts(\"[-b-]{+c+}\");");
  EXPECT_EQ(say("show"), "puts(\"c\");");
  EXPECT_EQ(say("s/c/c/ and diff"), "Nothing differs.");
  EXPECT_EQ(say("diff #c", "#d"), "puts(\"[-b-]{+c+}\");");
  EXPECT_EQ(say("undo and diff"), "puts(\"[-a-]{+b+}\");");
}

TEST_F(HistoryTest, CopiesFromAnotherChannel) {
  say("theirs", "#their");
  say("mine");
  EXPECT_EQ(say("show #their"), "theirs");
  EXPECT_EQ(say("show"), "mine");
  EXPECT_EQ(say("copy #Their"), "theirs");
  EXPECT_EQ(say("show"), "theirs");
  EXPECT_EQ(say("undo"), "mine");
  EXPECT_EQ(say("copy #their and s/s$/!/"), "run: their!");
  EXPECT_EQ(say("undo"), "mine");
  EXPECT_EQ(say("copy #their and run"), "run: theirs");
  EXPECT_EQ(say("show", "#their"), "theirs");
  EXPECT_EQ(say("copy #none"), "No recent c11 code to copy in '#none'.");
  EXPECT_EQ(say("show #none"), "No recent c11 code to show in '#none'.");
}

TEST_F(HistoryTest, OptionsAndInputStayWithTheirCode) {
  say("-O2 -Wall int x; -stdin 5");
  EXPECT_EQ(say("run"), "run: -O2 -Wall int x; -stdin 5");
  EXPECT_EQ(say("append 'y;'"), "run: -O2 -Wall int x; y; -stdin 5");
  EXPECT_EQ(say("prepend 'z;'"), "run: -O2 -Wall z; int x; y; -stdin 5");
  EXPECT_EQ(say("-O3 run -stdin 7 8"), "run: -O3 z; int x; y; -stdin 7 8");
  EXPECT_EQ(say("show"), "-O3 z; int x; y; -stdin 7 8");
  EXPECT_EQ(say("undo"), "-O2 -Wall z; int x; y; -stdin 5");
  EXPECT_EQ(say("replace 'O2' with 'O3'"), "'O2' is not in the code.");
}

TEST_F(HistoryTest, InfoAndPasteAreForOneRequest) {
  say("-info -O2 -paste int x;");
  EXPECT_EQ(say("show"), "-O2 int x;");
  EXPECT_EQ(say("-info run"), "run: -info -O2 int x;");
  EXPECT_EQ(say("-paste s/x/y/"), "run: -paste -O2 int y;");
  EXPECT_EQ(say("show"), "-O2 int y;");
}

TEST_F(HistoryTest, GivesUpOnEditsThatTakeLong) {
  const std::string code = "x" + std::string(1'000'000, 'a');
  say(code);
  std::string text = "s/(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)/$9$8$7$6$5$4$3$2$1/";
  for (std::size_t i = 1; i < max_changes; ++i) text += " s/(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)/$9$8$7$6$5$4$3$2$1/";
  // One of them, or all together.
  EXPECT_THAT(say(text), HasSubstr("too long on this code; "));
  EXPECT_EQ(say("show"), code);
}

TEST_F(HistoryTest, LeavesLanguagesTheirOwnSubstitutions) {
  say("s/x/y/", "#c", "sed");
  EXPECT_EQ(say("s/a/b/ -stdin a", "#c", "sed"), "run: s/a/b/ -stdin a");
  EXPECT_EQ(say("replace 'a' with 'c'", "#c", "sed"), "run: s/c/b/ -stdin a");
  say("print 1", "#c", "perl");
  EXPECT_EQ(say("-pe s/a/b/", "#c", "perl"), "run: -pe s/a/b/");
  say("print 1", "#c", "perl");
  EXPECT_EQ(say("-Mopen s/1/2/", "#c", "perl"), "run: -Mopen print 2");
}

TEST_F(HistoryTest, KeepsNothingForAChannelWithAnEndlessName) {
  const std::string name(300, 'c');
  EXPECT_EQ(say("code", name), "run: code");
  EXPECT_THAT(say("show", name), HasSubstr("longer than 256 bytes"));
}

TEST_F(HistoryTest, OutlivesTheHost) {
  say("code");
  anew();
  EXPECT_EQ(say("run"), "run: code");
}

// None of the edits that come at the same time is lost.
TEST_F(HistoryTest, IsSafeForManyThreads) {
  say("start");
  constexpr int threads = 8, times = 25;
  std::vector<std::thread> all;
  for (int thread = 0; thread < threads; ++thread) {
    all.emplace_back([this, thread] {
      for (int i = 0; i < times; ++i) {
        const std::string word = std::to_string(thread) + "." + std::to_string(i);
        // Others may always be faster; whoever is told so sends it again.
        while (described(history_->apply("#c", "c11", "append 'w" + word + "'")).starts_with("Others changed")) {
        }
        history_->apply("#" + std::to_string(thread), "c11", "code " + std::to_string(i));
        history_->apply("#" + std::to_string(thread), "c11", "show #c");
      }
    });
  }
  for (auto& thread : all) thread.join();
  std::istringstream words(say("show"));
  std::multiset<std::string> seen{std::istream_iterator<std::string>(words), {}};
  EXPECT_EQ(seen.size(), std::size_t(threads * times + 1));
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), seen.size());
  EXPECT_EQ(say("show", "#3"), "code " + std::to_string(times - 1));
}

TEST_F(HistoryTest, PutsADamagedFileAsideAndBeginsAnew) {
  int puts = 0;
  for (const std::string& damage :
       {std::string("nonsense"), std::string(100'000, 'x'), std::string("SQLite format 3\0abc", 19)}) {
    history_.reset();
    std::filesystem::remove(folder_.file() + "-wal");
    std::ofstream(folder_.file(), std::ios::trunc | std::ios::binary) << damage;
    anew();
    EXPECT_EQ(say("code"), "run: code");
    EXPECT_EQ(say("show"), "code");
    EXPECT_THAT(log_.str(), HasSubstr("is put aside as " + folder_.file() + ".damaged"));
    EXPECT_EQ(complaints(), static_cast<std::size_t>(++puts));
    std::ifstream aside(folder_.file() + ".damaged", std::ios::binary);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(aside), {}), damage);
  }
}

TEST_F(HistoryTest, PutsAFileAsideThatIsDamagedInTheMiddle) {
  for (int i = 0; i < 300; ++i) say(std::string(2000, 'x') + std::to_string(i));
  history_.reset();
  {
    std::fstream file(folder_.file(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(200'000, '\xff');
  }
  anew();
  EXPECT_EQ(say("code"), "run: code");
  EXPECT_EQ(say("run"), "run: code");
  EXPECT_TRUE(std::filesystem::exists(folder_.file() + ".damaged"));
  EXPECT_EQ(complaints(), 1u);
}

TEST_F(HistoryTest, PutsAnotherProgramsDatabaseAside) {
  history_.reset();
  { std::ofstream file(folder_.file()); }
  Database(folder_.file()).run("CREATE TABLE entry (other TEXT)");
  anew();
  EXPECT_EQ(say("code"), "run: code");
  EXPECT_EQ(say("run"), "run: code");
  EXPECT_TRUE(std::filesystem::exists(folder_.file() + ".damaged"));
}

TEST_F(HistoryTest, ServesRequestsWithoutAFile) {
  history_ = std::make_unique<History>((folder_.path() / "missing" / "history.db").string(), Bounds{});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(say("code " + std::to_string(i)), "run: code " + std::to_string(i));
  EXPECT_EQ(say("run"), "Earlier code cannot be read at the moment; the host's log says why.");
  EXPECT_EQ(complaints(), 1u) << log_.str();
  std::filesystem::create_directory(folder_.path() / "missing");
  EXPECT_EQ(say("code"), "run: code");
  EXPECT_EQ(say("run"), "run: code");
}

TEST_F(HistoryTest, BeginsAnewWhereItsFileIsTakenAway) {
  say("old");
  for (const char* part : {"", "-wal", "-shm"}) std::filesystem::remove(folder_.file() + part);
  for (int i = 0; i < 3; ++i) EXPECT_THAT(say("new " + std::to_string(i)), StartsWith("run: "));
  EXPECT_EQ(say("run"), "run: new 2");
  EXPECT_TRUE(std::filesystem::exists(folder_.file()));
}

// A person with sqlite3 who forgets to commit.
TEST_F(HistoryTest, IsNotHeldUpByALock) {
  say("old");
  Database other(folder_.file());
  other.run("BEGIN IMMEDIATE");
  int waited = 0;  // for the lock, as each would for itself
  for (int i = 0; i < 50; ++i) {
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(say("code"), "run: code");
    if (std::chrono::steady_clock::now() - begun >= std::chrono::milliseconds(240)) ++waited;
  }
  EXPECT_LT(waited, 25);
  EXPECT_EQ(say("s/old/new/"), "run: new");
  other.run("ROLLBACK");
  EXPECT_EQ(say("show"), "old");
  EXPECT_EQ(complaints(), 1u);
}

TEST_F(HistoryTest, TakesNoLinkForItsFile) {
  std::ofstream(folder_.path() / "elsewhere") << "keep";
  std::filesystem::create_symlink("elsewhere", folder_.file());
  EXPECT_EQ(say("code"), "run: code");
  EXPECT_THAT(log_.str(), HasSubstr("no regular file"));
  std::ifstream elsewhere(folder_.path() / "elsewhere");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(elsewhere), {}), "keep");
}

// The limit on a file's size stands for the full disk.
TEST_F(HistoryTest, ServesRequestsWhenTheDiskIsFull) {
  say("first");
  say("second");
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit none{1, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &none), 0);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(say("code " + std::to_string(i)), "run: code " + std::to_string(i));
  EXPECT_EQ(say("run"), "run: second");
  EXPECT_EQ(say("s/second/2/"), "run: 2");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, handler);
  EXPECT_GE(complaints(), 1u);
  EXPECT_LE(complaints(), 3u) << log_.str();
  EXPECT_EQ(say("third"), "run: third");
  EXPECT_EQ(say("undo"), "second");
  EXPECT_FALSE(std::filesystem::exists(folder_.file() + ".damaged"));
}

}  // namespace
}  // namespace pbotvm::history

// SPDX-License-Identifier: MIT
#include "machine/pbot_session.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "machine/pbot_request.h"
#include "pbotvm/error.h"
#include "scripted_guest.h"

namespace pbotvm::machine {
namespace {

using Json = nlohmann::json;
using test::make_job;
using test::SocketPair;

// ---------------------------------------------------------------------------------------------------------------------
// Requests.

// As the guest reads it.
Json read_request(std::string lines) {
  EXPECT_TRUE(lines.ends_with("\n\n"));
  std::erase(lines, '\n');
  return Json::parse(lines);
}

Json request_of(const Job& job) {
  return Json::parse(pbot_request(job, 1795225175));
}

Job shell_job(const std::string& code) {
  Job job;
  job.language = "sh";
  job.files.push_back({"prog.sh", code + "\n"});
  Step run;
  run.label = "run";
  run.argv = {"sh", "prog.sh"};
  run.reads_input = true;
  job.steps.push_back(run);
  return job;
}

Job c_job() {
  Job job;
  job.language = "c11";
  job.files.push_back({"prog.c", "int main(void) { return 0; }\n"});
  Step build, run;
  build.label = "compile";
  build.argv = {"gcc", "-g3", "prog.c", "-DTEXT=a b", "-o", "prog"};
  build.when = When::always;
  run.label = "run";
  run.argv = {"./prog", "a b", "it's"};
  run.reads_input = true;
  job.steps = {build, run};
  return job;
}

TEST(PbotRequest, SaysAJobOfOneFileAndOneCommandAsTheOriginalDoes) {
  auto job = shell_job("echo hello");
  job.input = "A fixed fortune.\n";
  const Json expected = {{"lang", "sh"},
                         {"sourcefile", "prog.sh"},
                         {"execfile", "prog.sh"},
                         {"cmdline", "sh prog.sh"},
                         {"input", "A fixed fortune."},
                         {"date", 1795225175},
                         {"arguments", ""},
                         {"code", "echo hello"}};
  EXPECT_EQ(request_of(job), expected);
}

TEST(PbotRequest, SaysHowToCompileAndWhatToHandToTheProgram) {
  auto job = c_job();
  job.input = "typed\n";
  Step explain;
  explain.argv = {"gdb", "prog"};
  explain.when = When::after_crash;
  job.steps.push_back(explain);
  const Json request = request_of(job);
  EXPECT_EQ(request["lang"], "c11");
  EXPECT_EQ(request["execfile"], "prog");
  EXPECT_EQ(request["cmdline"], "gcc -g3 prog.c '-DTEXT=a b' -o prog");
  EXPECT_EQ(request["arguments"], "'a b' \"it's\"");
  EXPECT_EQ(request["input"], "typed");
}

TEST(PbotRequest, NamesLanguagesAsTheGuestDoes) {
  auto job = c_job();
  job.language = "clang++";
  EXPECT_EQ(request_of(job)["lang"], "clangpp");
  job.language = "c++";
  EXPECT_EQ(request_of(job)["lang"], "cpp");
}

TEST(PbotRequest, HandsOverThePersistentKeyAndThatItIsAFactoid) {
  auto job = shell_job("true");
  EXPECT_FALSE(request_of(job).contains("persist-key"));
  EXPECT_FALSE(request_of(job).contains("factoid"));
  job.persist_key = "abc";
  job.factoid = true;
  EXPECT_EQ(request_of(job)["persist-key"], "abc");
  EXPECT_EQ(request_of(job)["factoid"], 1);
}

TEST(PbotRequest, IsAsciiWithoutTheTerminalsEditingKeys) {
  const auto text = pbot_request(shell_job("echo \x7f \x03\x04\x15 \xc3\xa4 \xf0\x9f\x98\x80"), 0);
  EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; })) << text;
  EXPECT_EQ(Json::parse(text)["code"], "echo \x7f \x03\x04\x15 \xc3\xa4 \xf0\x9f\x98\x80");
}

TEST(PbotRequest, KeepsTheGuestFromItsOwnWayWithAShapeThatItWouldMistake) {
  auto job = shell_job("puts 1");  // one step of a language that the guest would compile and then run as ./prog
  job.language = "c11";
  EXPECT_EQ(request_of(job)["lang"], "sh");
}

TEST(PbotLines, AreShortEnoughForATerminalAndEndWithAnEmptyOne) {
  const std::string json = "{\"code\":\"" + std::string(10'001, 'x') + "\"}";
  const auto lines = pbot_lines(json);
  std::istringstream in(lines);
  std::string line, joined;
  while (std::getline(in, line)) {
    EXPECT_LE(line.size(), 4000u);
    joined += line;
  }
  EXPECT_EQ(joined, json);
  EXPECT_TRUE(lines.ends_with("\"}\n\n"));
}

TEST(PbotLines, NeverBeginLikeAnAnswerBecauseTheTerminalEchoesThem) {
  // Whatever the offset, one of the cuts would fall in front of a "result:".
  std::string json = "{";
  while (json.size() < 30'000) json += "result:end ";
  for (int shift = 0; shift < 12; ++shift, json.insert(0, " ")) {
    std::istringstream in(pbot_lines(json));
    std::string line;
    while (std::getline(in, line)) ASSERT_FALSE(line.starts_with("result:")) << shift;
  }
}

// What bash makes of a request that is a script, run in a directory of its own.
class PbotScript : public testing::Test {
 protected:
  PbotScript() {
    std::string pattern = (std::filesystem::temp_directory_path() / "pbotvm-script-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = pattern;
  }
  ~PbotScript() override { std::filesystem::remove_all(folder_); }

  // What it prints on both streams; status_ is how it ended.
  std::string output(const Job& job) {
    const Json request = request_of(job);
    EXPECT_EQ(request["cmdline"], "bash prog.sh");
    std::ofstream(folder_ / "prog.sh") << request["code"].get<std::string>() << "\n";
    const std::string out = folder_.string() + ".out";
    status_ = std::system(("cd " + folder_.string() + " && bash prog.sh >" + out + " 2>&1 </dev/null").c_str());
    status_ = WEXITSTATUS(status_);
    std::ostringstream text;
    text << std::ifstream(out).rdbuf();
    std::filesystem::remove(out);
    return text.str();
  }

  static Step step(std::vector<std::string> argv, When when = When::after_success, bool reads_input = false) {
    Step made;
    made.argv = std::move(argv);
    made.when = when;
    made.reads_input = reads_input;
    return made;
  }

  std::filesystem::path folder_;
  int status_ = -1;
};

TEST_F(PbotScript, BringsFilesOfAnyContentAndNameAndModes) {
  Job job;
  std::string binary;
  for (int i = 0; i < 1000; ++i) binary += static_cast<char>(i);
  job.files.push_back({"a/b c/it's", binary, 0644});
  job.files.push_back({"-x", "#!/bin/sh\necho ran\n", 0755});
  job.files.push_back({"prog.sh", "", 0644});
  job.directories.push_back("empty/one");
  job.steps = {step({"cat", "a/b c/it's"}), step({"./-x"}), step({"ls", "-A"}), step({"ls", "-d", "empty/one"})};
  EXPECT_EQ(output(job), binary + "ran\n-x\na\nempty\nprog.sh\nempty/one\n");
  EXPECT_EQ(status_, 0);
}

TEST_F(PbotScript, DoesTheStepsInOrderUnderTheirConditions) {
  Job job;
  job.steps = {step({"sh", "-c", "echo one; exit 3"}), step({"echo", "not this"}),
               step({"sh", "-c", "echo two; kill -SEGV $$"}, When::always),
               step({"echo", "crashed"}, When::after_crash), step({"sh", "-c", "exit 4"}, When::always)};
  EXPECT_EQ(output(job), "one\ntwo\ncrashed\n");
  EXPECT_EQ(status_, 4);
}

TEST_F(PbotScript, GivesEveryStepThatReadsTheWholeInput) {
  Job job;
  job.input = std::string("a\0b\n\xff", 5);
  job.steps = {step({"cat"}, When::always, true), step({"cat"}), step({"cat"}, When::always, true)};
  EXPECT_EQ(output(job), job.input + job.input);
}

TEST_F(PbotScript, PassesWordsAndEnvironmentAsTheyAre) {
  Job job;
  job.files.push_back({"one", ""});
  job.files.push_back({"two", ""});
  auto print = step({"printf", "<%s>", "", "it's", "a b", "$HOME", "`id`", "\\n", "new\nline", "*"});
  auto environment = step({"sh", "-c", "printf %s \"$A\""});
  environment.environment = {{"A", "x 'y' $z"}};
  job.steps = {print, environment};
  EXPECT_EQ(output(job), "<><it's><a b><$HOME><`id`><\\n><new\nline><*>x 'y' $z");
}

TEST_F(PbotScript, ShowsACompilersMessagesAsTheGuestWould) {
  Job job;
  job.input = std::string(1, '\0');  // so that it is a script
  auto build = step({"sh", "-c", "echo warning; echo more >&2"}, When::always);
  build.label = "compile";
  job.steps = {build, step({"echo", "ran"}, When::after_success, true)};
  EXPECT_EQ(output(job), "[warning\nmore]\nran\n");
  job.steps[0].argv = {"sh", "-c", "echo error; exit 1"};
  EXPECT_EQ(output(job), "error\n");
  EXPECT_EQ(status_, 0);
}

TEST_F(PbotScript, NeverTakesAProgramForOneOfBashsOwnWords) {
  Job job;
  job.steps = {step({"exit", "5"}, When::always), step({"echo", "here"}, When::always)};
  EXPECT_NE(output(job).find("here\n"), std::string::npos);
}

// ---------------------------------------------------------------------------------------------------------------------
// Answers.

std::vector<PbotAnswers::Answer> answers_in(const std::string& bytes, std::size_t at_once) {
  PbotAnswers reader;
  std::vector<PbotAnswers::Answer> answers;
  for (std::size_t at = 0; at < bytes.size(); at += at_once) {
    reader.feed(std::string_view(bytes).substr(at, at_once));
    while (auto answer = reader.next()) answers.push_back(std::move(*answer));
  }
  return answers;
}

TEST(PbotAnswers, AreFoundBehindAnEchoHoweverTheyArrive) {
  const std::string bytes =
      "booting\r\n{\"code\":\"echo "
      "result:\"}\r\n\r\nxresult:end\r\nresult:{\"result\":\"a\\n\\u00e4\"}\r\nresult:end\r\n"
      "res\nresult:{\"result\":\"second\"}\nresult:end\n";
  for (const std::size_t at_once : {1u, 2u, 7u, 1000u}) {
    const auto answers = answers_in(bytes, at_once);
    ASSERT_EQ(answers.size(), 2u) << at_once;
    EXPECT_EQ(answers[0].texts, std::vector<std::string>{"a\n\xc3\xa4"});
    EXPECT_EQ(answers[0].flaw, "");
    EXPECT_EQ(answers[1].texts, std::vector<std::string>{"second"});
  }
}

TEST(PbotAnswers, AreFlawedWhereTheyAreNotWhatTheyMustBe) {
  for (const std::string line :
       {"{", "[]", "{\"result\":5}", "{\"other\":\"x\"}", "{\"result\":\"\xff\"}", "", "end "}) {
    const auto answers = answers_in("result:" + line + "\nresult:end\n", 1000);
    ASSERT_EQ(answers.size(), 1u) << line;
    EXPECT_NE(answers[0].flaw, "") << line;
  }
  const auto deep = answers_in("result:" + std::string(1'000'000, '[') + "\nresult:end\n", 4096);
  ASSERT_EQ(deep.size(), 1u);
  EXPECT_NE(deep[0].flaw, "");
}

TEST(PbotAnswers, AreBounded) {
  const std::string flood(PbotAnswers::max_size + 10, 'x');
  const auto answers =
      answers_in("result:{\"result\":\"" + flood + "\"}\nresult:end\nresult:{\"result\":\"y\"}\nresult:end\n", 65536);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_NE(answers[0].flaw, "");
  EXPECT_TRUE(answers[0].texts.empty());
  EXPECT_EQ(answers[1].texts, std::vector<std::string>{"y"});
}

// ---------------------------------------------------------------------------------------------------------------------
// Conversations.

// The guest's end of a stream, line by line.
class GuestEnd {
 public:
  explicit GuestEnd(UniqueFd stream) : stream_(std::move(stream)) {}

  Json expect_request() {
    while (text_.find("\n\n") == text_.npos) {
      if (!readable(60'000)) throw std::runtime_error("no request");
      char buffer[65536];
      const ssize_t got = ::read(stream_.get(), buffer, sizeof buffer);
      if (got <= 0) throw std::runtime_error("the host closed the stream");
      text_.append(buffer, static_cast<std::size_t>(got));
    }
    const auto end = text_.find("\n\n") + 2;
    const auto request = text_.substr(0, end);
    text_.erase(0, end);
    return read_request(request);
  }

  bool has_more() { return !text_.empty() || readable(0); }

  void write(const std::string& bytes) {
    if (::write(stream_.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("write");
    }
  }
  void answer(const std::string& text) { write("result:" + Json{{"result", text}}.dump() + "\r\nresult:end\r\n"); }

  // Answers a probe as a shell would.
  void answer_probe() {
    const auto code = expect_request()["code"].get<std::string>();
    ASSERT_TRUE(code.starts_with("echo pbotvm-"));
    answer(code.substr(5) + "\n");
  }

  void close() { stream_.reset(); }

 private:
  bool readable(int ms) {
    pollfd fd{stream_.get(), POLLIN, 0};
    return ::poll(&fd, 1, ms) == 1;
  }

  UniqueFd stream_;
  std::string text_;
};

std::vector<Session::Event> pump(Session& session) {
  pollfd fd{session.fd(), POLLIN, 0};
  if (session.wants_to_write()) fd.events |= POLLOUT;
  ::poll(&fd, 1, 5000);
  auto events = session.pump();
  session.check();
  return events;
}

// Pumps until something happens.
std::vector<Session::Event> await(Session& session) {
  for (int i = 0; i < 1000; ++i) {
    if (auto events = pump(session); !events.empty()) return events;
  }
  throw std::runtime_error("nothing happens");
}

class PbotSessionTest : public testing::Test {
 protected:
  PbotSessionTest() : session_(std::move(pair_.host), "a socket pair"), guest_(std::move(pair_.guest)) {}

  void open() {
    session_.hello({});
    session_.pump();
    guest_.answer_probe();
    const auto events = await(session_);
    ASSERT_EQ(events.size(), 1u);
    ASSERT_TRUE(std::holds_alternative<Session::Welcomed>(events[0]));
  }

  Job job() {
    auto made = shell_job("echo hello");
    made.limits.output = 1000;
    return made;
  }

  SocketPair pair_;
  PbotSession session_;
  GuestEnd guest_;
};

TEST_F(PbotSessionTest, CarriesAJobAndItsAnswer) {
  open();
  session_.start_job(7, job(), {});
  session_.pump();
  const auto request = guest_.expect_request();
  EXPECT_EQ(request["code"], "echo hello");
  guest_.write(request.dump() + "\r\n\r\n");  // the echo
  guest_.answer("hello\n");
  const auto events = await(session_);
  ASSERT_EQ(events.size(), 2u);
  const auto& ended = std::get<Session::Ended>(events[0]);
  EXPECT_EQ(ended.job, 7u);
  EXPECT_EQ(ended.reply, "hello\n");
  EXPECT_EQ(ended.error, "");
  EXPECT_TRUE(std::get<Session::Cleaned>(events[1]).clean.proven);
}

TEST_F(PbotSessionTest, SaysThatTheGuestCannotTellItsToolsNorItsContainment) {
  session_.hello({});
  session_.pump();
  guest_.answer_probe();
  const auto events = await(session_);
  const auto& welcomed = std::get<Session::Welcomed>(events.at(0));
  EXPECT_FALSE(welcomed.tools_known);
  EXPECT_EQ(welcomed.welcome.slots, 1u);
  ASSERT_EQ(welcomed.welcome.containment.size(), 1u);
  EXPECT_FALSE(welcomed.welcome.containment[0].given);
}

TEST_F(PbotSessionTest, TakesNoAnswerToSomebodyElsesRequestForAWelcomeOrAReply) {
  session_.hello({});
  session_.pump();
  guest_.answer("SECRET");  // to whoever used the line before
  EXPECT_TRUE(pump(session_).empty());
  guest_.answer_probe();
  ASSERT_TRUE(std::holds_alternative<Session::Welcomed>(await(session_).at(0)));
  session_.start_job(1, job(), {});
  session_.pump();
  guest_.answer("mine");
  EXPECT_EQ(std::get<Session::Ended>(await(session_).at(0)).reply, "mine");
}

TEST_F(PbotSessionTest, AnEchoOfTheProbeIsNoWelcome) {
  session_.hello({});
  session_.pump();
  const auto request = guest_.expect_request();
  guest_.write(request.dump() + "\r\n\r\n");
  EXPECT_TRUE(pump(session_).empty());
}

TEST_F(PbotSessionTest, NeverGivesTheLateAnswerOfAnAbandonedJobToTheNext) {
  open();
  session_.start_job(1, job(), {});
  session_.pump();
  guest_.expect_request();
  session_.abandon(1);
  session_.start_job(2, job(), {});  // before a hello: not out of step
  EXPECT_EQ(std::get<Session::Refused>(await(session_).at(0)).refusal.code, "busy");
  EXPECT_FALSE(guest_.has_more());
  session_.hello({});
  session_.pump();
  session_.start_job(3, job(), {});  // nor before the welcome
  EXPECT_TRUE(std::holds_alternative<Session::Refused>(await(session_).at(0)));
  guest_.answer("SECRET");
  EXPECT_TRUE(pump(session_).empty());
  guest_.answer_probe();
  ASSERT_TRUE(std::holds_alternative<Session::Welcomed>(await(session_).at(0)));
  session_.start_job(4, job(), {});
  session_.pump();
  guest_.expect_request();
  guest_.answer("mine");
  const auto events = await(session_);
  EXPECT_EQ(std::get<Session::Ended>(events.at(0)).job, 4u);
  EXPECT_EQ(std::get<Session::Ended>(events.at(0)).reply, "mine");
}

TEST_F(PbotSessionTest, EndsACancelledJobAtOnceAndInDoubt) {
  open();
  session_.start_job(1, job(), {});
  session_.pump();
  session_.cancel(1);
  const auto events = await(session_);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(std::get<Session::Ended>(events[0]).result.limit, Limit::cancelled);
  EXPECT_FALSE(std::get<Session::Cleaned>(events[1]).clean.proven);
}

TEST_F(PbotSessionTest, SendsAJobWhenItsInputIsWhole) {
  open();
  Session::JobOptions options;
  options.more_input = true;
  auto streamed = job();
  streamed.input = "one ";
  session_.start_job(1, streamed, options);
  session_.add_input(1, "two\n");
  session_.pump();
  EXPECT_FALSE(guest_.has_more());
  session_.end_input(1);
  session_.pump();
  EXPECT_EQ(guest_.expect_request()["input"], "one two");
}

TEST_F(PbotSessionTest, LeavesNothingOfAJobThatWasCancelledBeforeItWasSent) {
  open();
  Session::JobOptions options;
  options.more_input = true;
  session_.start_job(1, job(), options);
  session_.cancel(1);
  EXPECT_TRUE(std::get<Session::Cleaned>(await(session_).at(1)).clean.proven);
  session_.start_job(2, job(), {});
  session_.pump();
  guest_.expect_request();
  guest_.answer("mine");
  EXPECT_EQ(std::get<Session::Ended>(await(session_).at(0)).reply, "mine");
}

TEST_F(PbotSessionTest, CallsAnAnswerThatIsNoneAFault) {
  open();
  session_.start_job(1, job(), {});
  session_.pump();
  guest_.write("result:nonsense\r\nresult:end\r\n");
  EXPECT_EQ(std::get<Session::Faulted>(await(session_).at(0)).job, 1u);
}

TEST_F(PbotSessionTest, EndsAConversationWhereAnswersComeUnasked) {
  open();
  guest_.answer("forged");
  EXPECT_THROW(await(session_), Error);
}

TEST_F(PbotSessionTest, CutsAReplyAtTheOutputLimit) {
  open();
  auto little = job();
  little.limits.output = 4;
  session_.start_job(1, little, {});
  session_.pump();
  guest_.answer("abc\xc3\xa4xyz");
  EXPECT_EQ(std::get<Session::Ended>(await(session_).at(0)).reply, "abc [Output cut at 4 bytes]");
}

TEST_F(PbotSessionTest, AnswersAPingAtOnce) {
  open();
  session_.ping("health");
  EXPECT_EQ(std::get<Session::Ponged>(await(session_).at(0)).payload, "health");
}

TEST_F(PbotSessionTest, SendsARequestThatWasBegunToItsEndBeforeTheNextHello) {
  open();
  auto large = job();
  large.files[0].content = std::string(4u << 20, '#') + "\n";
  session_.start_job(1, large, {});
  session_.pump();  // as much as the sockets hold
  session_.hello({});
  std::thread reader([&] { EXPECT_EQ(guest_.expect_request()["code"].get<std::string>().size(), 4u << 20); });
  for (int i = 0; i < 100'000 && session_.wants_to_write(); ++i) pump(session_);
  reader.join();
  guest_.answer_probe();
  EXPECT_TRUE(std::holds_alternative<Session::Welcomed>(await(session_).at(0)));
}

TEST_F(PbotSessionTest, SaysWhenTheLineWasClosed) {
  open();
  guest_.close();
  try {
    pump(session_);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::unavailable);
  }
}

// Over VM sockets: one request a connection.
class PbotConnections : public testing::Test {
 protected:
  PbotConnections() : session_(connect(), "connections", [this] { return connect(); }) {}

  UniqueFd connect() {
    if (refuses_) throw Error(ErrorCode::unavailable, "nobody listens");
    SocketPair pair;
    guests_.emplace_back(std::move(pair.guest));
    return std::move(pair.host);
  }

  void open() {
    session_.hello({});
    session_.pump();
    guests_.back().answer_probe();
    ASSERT_TRUE(std::holds_alternative<Session::Welcomed>(await(session_).at(0)));
  }

  bool refuses_ = false;
  std::deque<GuestEnd> guests_;
  PbotSession session_;
};

TEST_F(PbotConnections, SendsEachRequestOverOneOfItsOwn) {
  open();
  EXPECT_EQ(guests_.size(), 1u);  // the one that it was given
  for (std::uint32_t id = 1; id <= 3; ++id) {
    session_.start_job(id, shell_job("echo hello"), {});
    session_.pump();
    ASSERT_EQ(guests_.size(), id + 1);
    guests_.back().expect_request();
    guests_.back().answer(std::to_string(id));
    guests_.back().close();
    EXPECT_EQ(std::get<Session::Ended>(await(session_).at(0)).reply, std::to_string(id));
  }
}

TEST_F(PbotConnections, AnswersAPingWhileNoneIsOpen) {
  open();
  session_.ping("x");
  EXPECT_TRUE(std::holds_alternative<Session::Ponged>(await(session_).at(0)));
}

TEST_F(PbotConnections, CallsOneThatEndsWithoutAnAnswerAFault) {
  open();
  session_.start_job(1, shell_job("echo hello"), {});
  session_.pump();
  guests_.back().expect_request();
  guests_.back().close();
  EXPECT_EQ(std::get<Session::Faulted>(await(session_).at(0)).job, 1u);
}

TEST_F(PbotConnections, LeavesAnAbandonedJobsOneBehind) {
  open();
  session_.start_job(1, shell_job("echo hello"), {});
  session_.pump();
  guests_.back().expect_request();
  session_.abandon(1);
  open();
  session_.start_job(2, shell_job("echo hello"), {});
  session_.pump();
  guests_.back().expect_request();
  guests_.back().answer("mine");
  EXPECT_EQ(std::get<Session::Ended>(await(session_).at(0)).reply, "mine");
}

TEST_F(PbotConnections, SaysWhenNobodyListens) {
  open();
  refuses_ = true;
  EXPECT_THROW(session_.start_job(1, shell_job("echo hello"), {}), Error);
}

}  // namespace
}  // namespace pbotvm::machine

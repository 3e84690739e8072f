// SPDX-License-Identifier: MIT
#include "qmp/qmp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>

namespace pbotvm::qmp {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;

constexpr const char* greeting =
    R"({"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian"}, "capabilities": []}})";

// ---- the parser

TEST(QmpParser, GivesOneMessageALine) {
  QmpParser parser;
  parser.feed("{\"return\": 1}\r\n{\"event\": \"STOP\"}\n");
  EXPECT_EQ(json({{"return", 1}}), parser.next());
  EXPECT_EQ(json({{"event", "STOP"}}), parser.next());
  EXPECT_FALSE(parser.next());
}

TEST(QmpParser, PutsSplitLinesTogether) {
  QmpParser parser;
  const std::string line = "{\"return\": {\"status\": \"running\"}}\n";
  for (std::size_t i = 0; i + 1 < line.size(); ++i) {
    parser.feed(line.substr(i, 1));
    EXPECT_FALSE(parser.next());
  }
  parser.feed("\n");
  EXPECT_EQ(json({{"return", {{"status", "running"}}}}), parser.next());
}

TEST(QmpParser, SkipsEmptyLines) {
  QmpParser parser;
  parser.feed("\n\r\n{\"return\": {}}\n");
  EXPECT_TRUE(parser.next());
}

TEST(QmpParser, RefusesWhatIsNoJsonObject) {
  for (const std::string line : {"hello\n", "{\"return\": \n", "[1, 2]\n", "42\n", "\xff\xfe\n"}) {
    QmpParser parser;
    parser.feed(line);
    EXPECT_THROW(parser.next(), Error) << line;
  }
}

TEST(QmpParser, ShowsGarbageWithoutItsControlBytes) {
  QmpParser parser;
  parser.feed("qemu: bad\x1b[31m option\n");
  try {
    parser.next();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(ErrorCode::protocol, error.code());
    EXPECT_THAT(error.what(), HasSubstr("qemu: bad?[31m option"));
  }
}

TEST(QmpParser, RefusesALineThatDoesNotEnd) {
  QmpParser parser;
  const std::string piece(64 * 1024, 'x');
  EXPECT_THROW(for (std::size_t fed = 0; fed <= max_qmp_line; fed += piece.size()) parser.feed(piece), Error);
}

TEST(QmpParser, TakesManyLinesThatAreLongTogether) {
  QmpParser parser;
  std::string lines;
  while (lines.size() <= max_qmp_line) lines += "{\"return\": \"" + std::string(1000, 'x') + "\"}\n";
  EXPECT_NO_THROW(parser.feed(lines));
  EXPECT_TRUE(parser.next());
}

TEST(QmpMessages, AreToldApart) {
  EXPECT_EQ(QmpMessage::Kind::greeting, classify(json::parse(greeting)).kind);
  EXPECT_EQ(QmpMessage::Kind::reply, classify({{"return", json::object()}, {"id", "7"}}).kind);
  EXPECT_EQ("7", classify({{"return", json::object()}, {"id", "7"}}).id);
  EXPECT_EQ(QmpMessage::Kind::error, classify({{"error", {{"desc", "no"}}}}).kind);
  EXPECT_EQ(QmpMessage::Kind::event, classify({{"event", "STOP"}}).kind);
  EXPECT_THROW(classify({{"something", "else"}}), Error);
}

// ---- the client

/// The other end of a client's socket: answers each line that it reads with the next of its texts, in which ID stands
/// for the line's id. Ends the conversation after the last one, unless told to stay.
class FakeQemu {
 public:
  explicit FakeQemu(std::vector<std::string> answers, bool stay = false) : answers_(std::move(answers)), stay_(stay) {
    std::array<int, 2> ends{};
    EXPECT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()));
    client_.reset(ends[0]);
    own_.reset(ends[1]);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeQemu() {
    ::shutdown(own_.get(), SHUT_RDWR);
    thread_.join();
  }

  UniqueFd take_client() { return std::move(client_); }

  /// The commands as they were read; ask for them when the conversation is over.
  const std::vector<json>& commands() const { return commands_; }

 private:
  void serve() {
    write(std::string(greeting) + "\n");
    std::string buffer;
    for (const std::string& answer : answers_) {
      const json command = read_line(buffer);
      if (command.is_null()) return;
      commands_.push_back(command);
      write(filled(answer, command["id"]));
    }
    if (!stay_) ::shutdown(own_.get(), SHUT_RDWR);
  }

  json read_line(std::string& buffer) {
    while (buffer.find('\n') == std::string::npos) {
      char bytes[1024];
      const ssize_t got = ::read(own_.get(), bytes, sizeof bytes);
      if (got <= 0) return nullptr;
      buffer.append(bytes, static_cast<std::size_t>(got));
    }
    const std::string line = buffer.substr(0, buffer.find('\n'));
    buffer.erase(0, line.size() + 1);
    return json::parse(line);
  }

  static std::string filled(std::string text, const std::string& id) {
    for (std::size_t at; (at = text.find("ID")) != std::string::npos;) text.replace(at, 2, "\"" + id + "\"");
    return text;
  }

  void write(const std::string& text) {
    ASSERT_EQ(ssize_t(text.size()), ::send(own_.get(), text.data(), text.size(), MSG_NOSIGNAL));
  }

  std::vector<std::string> answers_;
  bool stay_;
  UniqueFd client_, own_;
  std::vector<json> commands_;
  std::thread thread_;
};

constexpr const char* fine = "{\"return\": {}, \"id\": ID}\n";

TEST(QmpClient, NegotiatesAndKnowsTheVersion) {
  FakeQemu qemu({fine});
  EXPECT_EQ("7.2.22", QmpClient(qemu.take_client(), -1, Deadline::in(5s)).version());
  EXPECT_EQ("qmp_capabilities", qemu.commands().at(0)["execute"]);
}

TEST(QmpClient, ReturnsWhatACommandReturnsAndKeepsTheEventsBetween) {
  FakeQemu qemu(
      {fine, "{\"event\": \"STOP\"}\n{\"event\": \"RESUME\"}\n{\"return\": {\"status\": \"running\"}, \"id\": ID}\n"});
  QmpClient client(qemu.take_client(), -1, Deadline::in(5s));
  EXPECT_EQ("running", client.execute("query-status", json::object(), Deadline::in(5s))["status"]);
  EXPECT_EQ("STOP", (*client.take_event())["event"]);
  EXPECT_EQ("RESUME", (*client.take_event())["event"]);
  EXPECT_FALSE(client.take_event());
}

TEST(QmpClient, ThrowsQemusOwnWords) {
  FakeQemu qemu({fine, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"Node 'x' not found\"}, \"id\": ID}\n"});
  QmpClient client(qemu.take_client(), -1, Deadline::in(5s));
  try {
    client.execute("blockdev-del", {{"node-name", "x"}}, Deadline::in(5s));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(ErrorCode::refused, error.code());
    EXPECT_STREQ("QEMU refused blockdev-del: Node 'x' not found", error.what());
  }
}

TEST(QmpClient, SkipsALateAnswerToAnEarlierCommand) {
  FakeQemu qemu({fine, "{\"return\": \"stale\", \"id\": \"0\"}\n{\"return\": \"fresh\", \"id\": ID}\n"});
  QmpClient client(qemu.take_client(), -1, Deadline::in(5s));
  EXPECT_EQ("fresh", client.execute("query-name", json::object(), Deadline::in(5s)));
}

TEST(QmpClient, ComesBackByItsDeadline) {
  FakeQemu qemu({fine}, true);
  QmpClient client(qemu.take_client(), -1, Deadline::in(5s));
  try {
    client.execute("query-status", json::object(), Deadline::in(20ms));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(ErrorCode::timed_out, error.code());
    EXPECT_THAT(error.what(), HasSubstr("query-status"));
  }
}

TEST(QmpClient, NoticesThatQemuHungUp) {
  FakeQemu qemu({fine, ""});
  QmpClient client(qemu.take_client(), -1, Deadline::in(5s));
  try {
    client.execute("quit", json::object(), Deadline::in(5s));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(ErrorCode::unavailable, error.code());
  }
}

TEST(QmpClient, AJobEndsWhenItConcludesNotWhenItIsAccepted) {
  FakeQemu qemu({fine,
                 "{\"return\": {}, \"id\": ID}\n"
                 "{\"event\": \"JOB_STATUS_CHANGE\", \"data\": {\"id\": \"other\", \"status\": \"concluded\"}}\n"
                 "{\"event\": \"JOB_STATUS_CHANGE\", \"data\": {\"id\": \"job2\", \"status\": \"running\"}}\n"
                 "{\"event\": \"JOB_STATUS_CHANGE\", \"data\": {\"id\": \"job2\", \"status\": \"concluded\"}}\n",
                 fine, fine},
                true);
  QmpClient client(qemu.take_client(), -1, Deadline::in(5s));
  client.run_job("snapshot-save", {{"tag", "1"}}, Deadline::in(5s));
  client.execute("query-name", json::object(), Deadline::in(5s));  // by its answer the others were read
  EXPECT_EQ("job2", qemu.commands().at(1)["arguments"]["job-id"]);
  EXPECT_EQ("job-dismiss", qemu.commands().at(2)["execute"]);
  EXPECT_EQ("job2", qemu.commands().at(2)["arguments"]["id"]);
}

TEST(QmpClient, AJobThatConcludesBeforeItsAnswerIsNotMissed) {
  FakeQemu qemu({fine,
                 "{\"event\": \"JOB_STATUS_CHANGE\", \"data\": {\"id\": \"job2\", \"status\": \"concluded\"}}\n"
                 "{\"return\": {}, \"id\": ID}\n",
                 fine, fine},
                true);
  QmpClient client(qemu.take_client(), -1, Deadline::in(5s));
  EXPECT_NO_THROW(client.run_job("snapshot-save", {{"tag", "1"}}, Deadline::in(5s)));
  client.execute("query-name", json::object(), Deadline::in(5s));
}

TEST(QmpClient, AJobsOwnFailureIsThrownAndTheJobDismissed) {
  FakeQemu qemu(
      {fine,
       "{\"return\": {}, \"id\": ID}\n"
       "{\"event\": \"JOB_STATUS_CHANGE\", \"data\": {\"id\": \"job2\", \"status\": \"aborting\"}}\n"
       "{\"event\": \"JOB_STATUS_CHANGE\", \"data\": {\"id\": \"job2\", \"status\": \"concluded\"}}\n",
       "{\"return\": [{\"id\": \"other\"}, {\"id\": \"job2\", \"error\": \"Snapshot 'x' does not exist\"}], \"id\": "
       "ID}\n",
       fine, fine},
      true);
  QmpClient client(qemu.take_client(), -1, Deadline::in(5s));
  try {
    client.run_job("snapshot-load", {{"tag", "x"}}, Deadline::in(5s));
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ("QEMU's snapshot-load failed: Snapshot 'x' does not exist", error.what());
  }
  client.execute("query-name", json::object(), Deadline::in(5s));
  EXPECT_EQ("job-dismiss", qemu.commands().at(3)["execute"]);
}

TEST(QmpClient, AsksForAJobsFailureWhenTooManyEventsCameToKnow) {
  std::string flood = "{\"event\": \"JOB_STATUS_CHANGE\", \"data\": {\"id\": \"job2\", \"status\": \"aborting\"}}\n";
  for (std::size_t i = 0; i < max_qmp_events; ++i) flood += "{\"event\": \"E\"}\n";
  flood += "{\"event\": \"JOB_STATUS_CHANGE\", \"data\": {\"id\": \"job2\", \"status\": \"concluded\"}}\n";
  FakeQemu qemu(
      {fine, flood + fine, "{\"return\": [{\"id\": \"job2\", \"error\": \"full\"}], \"id\": ID}\n", fine, fine}, true);
  QmpClient client(qemu.take_client(), -1, Deadline::in(5s));
  EXPECT_THROW(client.run_job("snapshot-save", {{"tag", "x"}}, Deadline::in(5s)), Error);
  client.execute("query-name", json::object(), Deadline::in(5s));
}

TEST(QmpClient, KeepsOnlySoManyEvents) {
  std::string flood;
  for (std::size_t i = 0; i < max_qmp_events + 10; ++i) flood += "{\"event\": \"E" + std::to_string(i) + "\"}\n";
  FakeQemu qemu({fine, flood + "{\"return\": {}, \"id\": ID}\n"}, true);
  QmpClient client(qemu.take_client(), -1, Deadline::in(5s));
  client.execute("query-status", json::object(), Deadline::in(5s));
  EXPECT_EQ("E10", (*client.take_event())["event"]);
  std::size_t rest = 0;
  while (client.take_event()) ++rest;
  EXPECT_EQ(max_qmp_events - 1, rest);
}

}  // namespace
}  // namespace pbotvm::qmp

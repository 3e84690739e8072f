// SPDX-License-Identifier: MIT
#include "service/json_reply.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace pbotvm::service {
namespace {

using nlohmann::json;

Printed printed(const std::string& bytes, Stream stream = Stream::out, std::uint32_t step = 0) {
  return {{step, stream, bytes}, "run"};
}

std::vector<json> objects(const std::string& lines) {
  std::vector<json> values;
  for (std::size_t at = 0; at < lines.size();) {
    const auto end = lines.find('\n', at);
    values.push_back(json::parse(lines.substr(at, end - at)));
    at = end + 1;
  }
  return values;
}

TEST(JsonReplyTest, WritesOneObjectALine) {
  JsonReply reply;
  EXPECT_EQ(reply.lines(Started{"sh", "main"}), "{\"event\":\"start\",\"language\":\"sh\",\"machine\":\"main\"}\n");
  EXPECT_EQ(reply.lines(printed("a\nb", Stream::err)),
            R"({"event":"output","step":0,"label":"run","stream":"stderr","text":"a\nb"})"
            "\n");
  EXPECT_EQ(reply.lines(LeftBehind{"a", "why"}), "{\"event\":\"left-behind\",\"path\":\"a\",\"why\":\"why\"}\n");
  EXPECT_EQ(reply.lines(NotSaved{"k", "why"}), "{\"event\":\"not-saved\",\"persist-key\":\"k\",\"why\":\"why\"}\n");
  EXPECT_EQ(reply.lines(Failed{"unavailable", "text", "printed text"}),
            R"({"event":"error","code":"unavailable","text":"text","reply":"printed text"})"
            "\n");
}

TEST(JsonReplyTest, JoinsACharacterThatWasCutInTwo) {
  JsonReply reply;
  EXPECT_EQ(objects(reply.lines(printed("a\xE2\x82"))).at(0)["text"], "a");
  EXPECT_EQ(objects(reply.lines(printed("err", Stream::err))).at(0)["text"], "err");
  EXPECT_EQ(objects(reply.lines(printed("\xAC!"))).at(0)["text"], "\xE2\x82\xAC!");
}

TEST(JsonReplyTest, SaysNothingWhileACharacterIsNotWhole) {
  JsonReply reply;
  EXPECT_EQ(reply.lines(printed("\xF0")), "");
  EXPECT_EQ(reply.lines(printed("\x9F\x98")), "");
  EXPECT_EQ(objects(reply.lines(printed("\x80"))).at(0)["text"], "\xF0\x9F\x98\x80");
}

TEST(JsonReplyTest, GivesBytesThatAreNoTextAsBase64) {
  JsonReply reply;
  const auto line = objects(reply.lines(printed("a\xFF"))).at(0);
  EXPECT_EQ(line["base64"], "Yf8=");
  EXPECT_FALSE(line.contains("text"));
}

TEST(JsonReplyTest, HandsOutAHalfCharacterWhenItsStepEnds) {
  JsonReply reply;
  reply.lines(printed("\xE2"));
  const auto lines = objects(reply.lines(StepResult{}));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["base64"], "4g==");
  EXPECT_EQ(lines[0]["label"], "run");
  EXPECT_EQ(lines[1]["event"], "step");
  EXPECT_EQ(objects(reply.lines(printed("x"))).at(0)["text"], "x");
}

TEST(JsonReplyTest, HandsOutAHalfCharacterInFrontOfALostJobsEnd) {
  JsonReply reply;
  reply.lines(printed("\xE2"));
  reply.lines(printed("\xC3", Stream::err, 1));
  const auto lines = objects(reply.lines(failure("unavailable", "gone")));
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0]["base64"], "4g==");
  EXPECT_EQ(lines[1]["stream"], "stderr");
  EXPECT_EQ(lines[2]["event"], "error");
}

TEST(JsonReplyTest, TellsHowAStepEnded) {
  StepResult step;
  step.step = 1;
  step.label = "run";
  step.signal = 11;
  step.wall = std::chrono::milliseconds(1500);
  step.user = std::chrono::microseconds(250);
  step.peak_memory = 4096;
  step.limit = Limit::cpu;
  step.bytes_cut = 7;
  JsonReply reply;
  EXPECT_EQ(objects(reply.lines(step)).at(0), (json{{"event", "step"},
                                                    {"step", 1},
                                                    {"label", "run"},
                                                    {"signal", 11},
                                                    {"signal-name", "SIGSEGV"},
                                                    {"limit", "cpu"},
                                                    {"cut", 7},
                                                    {"wall", 1.5},
                                                    {"user", 0.00025},
                                                    {"system", 0.0},
                                                    {"memory", 4096}}));
  step.signal = 0;
  step.exit_code = 3;
  step.limit = Limit::none;
  const auto line = objects(reply.lines(step)).at(0);
  EXPECT_EQ(line["exit"], 3);
  EXPECT_FALSE(line.contains("signal"));
  EXPECT_TRUE(line["limit"].is_null());
}

TEST(JsonReplyTest, EndsWithTheLastStepThatRanAndTheTimesOfAll) {
  StepResult compile, run;
  compile.wall = run.wall = std::chrono::seconds(1);
  compile.peak_memory = 10;
  run.step = 1;
  run.exit_code = 4;
  run.peak_memory = 5;
  Ended ended{"text", true, {compile, run}, Limit::none, 0};
  JsonReply reply;
  const auto line = objects(reply.lines(ended)).at(0);
  EXPECT_EQ(line["event"], "end");
  EXPECT_EQ(line["exit"], 4);
  EXPECT_EQ(line["wall"], 2.0);
  EXPECT_EQ(line["memory"], 10);
  EXPECT_EQ(line["reply"], "text");
}

TEST(JsonReplyTest, EndsWithTheReplyAloneWhereNothingRan) {
  JsonReply reply;
  EXPECT_EQ(reply.lines(Ended{"usage"}), "{\"event\":\"end\",\"reply\":\"usage\"}\n");
}

TEST(JsonReplyTest, HandsOutFiles) {
  JsonReply reply;
  EXPECT_EQ(objects(reply.lines(JobFile{"a/b", "x", 0755})).at(0),
            (json{{"event", "file"}, {"path", "a/b"}, {"mode", "0755"}, {"size", 1}, {"text", "x"}}));
  EXPECT_EQ(objects(reply.lines(JobFile{"c", std::string("\0\xFF", 2)})).at(0)["base64"], "AP8=");
}

TEST(JsonReplyTest, NeverFailsOnWhatAGuestSaid) {
  JsonReply reply;
  EXPECT_EQ(objects(reply.lines(LeftBehind{"\xFF", "\xFE"})).at(0)["path"], "\xEF\xBF\xBD");
  StepResult step;
  step.label = "\xFF";
  step.signal = 127;
  EXPECT_TRUE(objects(reply.lines(step)).at(0)["signal-name"].is_null());
}

}  // namespace
}  // namespace pbotvm::service

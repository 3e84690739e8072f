// SPDX-License-Identifier: MIT
#include "service/client_request.h"

#include <gmock/gmock.h>

namespace pbotvm::service {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string refusal(std::string_view line) {
  try {
    parse_client_line(line);
  } catch (const RequestError& e) {
    return e.what();
  }
  return "accepted";
}

TEST(ClientRequestTest, TakesPlainTextAsCode) {
  const auto request = parse_client_line("-lang=SH  echo  hello  ");
  EXPECT_EQ(request.language, "sh");
  EXPECT_EQ(request.code, "echo  hello");
  EXPECT_EQ(request.machine, "");
}

TEST(ClientRequestTest, TakesPBotsOwnLine) {
  const auto request = parse_client_line(R"({"nick":"n","channel":"#c","code":"-lang=sh echo hello"})");
  EXPECT_EQ(request.language, "sh");
  EXPECT_EQ(request.code, "echo hello");
  EXPECT_EQ(request.nick, "n");
  EXPECT_EQ(request.channel, "#c");
}

TEST(ClientRequestTest, LetsOptionsInTheCodeWinOverKeys) {
  const auto request = parse_client_line(R"({"code":"-vm=other -lang=c11 x","lang":"sh","vm":"first"})");
  EXPECT_EQ(request.language, "c11");
  EXPECT_EQ(request.machine, "other");
  EXPECT_EQ(parse_client_line(R"({"code":"x","lang":"SH","vm":"First"})").language, "sh");
}

TEST(ClientRequestTest, LetsTheLastOfARepeatedOptionWin) {
  EXPECT_EQ(parse_client_line("-lang=sh -lang=bash true").language, "bash");
}

TEST(ClientRequestTest, TakesOptionsBehindABlankAsCode) {
  const auto request = parse_client_line(" -lang=sh true");
  EXPECT_EQ(request.language, "");
  EXPECT_EQ(request.code, " -lang=sh true");
}

TEST(ClientRequestTest, KeepsNewlinesAndBytesOfJson) {
  EXPECT_EQ(parse_client_line(R"({"code":"a\n  b\u0000c"})").code, std::string("a\n  b\0c", 7));
}

TEST(ClientRequestTest, IgnoresUnknownKeysAndNulls) {
  const auto request = parse_client_line(R"({"code":"x","future":[1,{}],"lang":null,"factoid":1})");
  EXPECT_EQ(request.code, "x");
  EXPECT_TRUE(request.factoid);
}

TEST(ClientRequestTest, NeverTakesWhatOnlyAnOperatorMayDo) {
  // PBot's own host took these from clients, and ran them through a shell.
  EXPECT_EQ(parse_client_line("-revert=1 -vm-domain=x;id true").code, "-revert=1 -vm-domain=x;id true");
}

TEST(ClientRequestTest, SaysInOneLineWhatIsWrong) {
  EXPECT_THAT(refusal("{\"code\":"), StartsWith("Invalid request: a line that begins with '{' must be a JSON object"));
  EXPECT_THAT(refusal("{}"), HasSubstr("no key \"code\""));
  EXPECT_EQ(refusal(R"({"code":5})"), "Invalid request: the key \"code\" must be a string, not a number.");
  EXPECT_EQ(refusal(R"({"code":["x"]})"), "Invalid request: the key \"code\" must be a string, not an array.");
  EXPECT_EQ(refusal(R"({"code":"x","lang":true})"),
            "Invalid request: the key \"lang\" must be a string, not a boolean.");
  EXPECT_THAT(refusal(R"({"code":"x","reply":"xml"})"), HasSubstr("\"reply\""));
  EXPECT_THAT(refusal(R"({"code":"x","persist-key":"k"})"), HasSubstr("\"persist-key\" is not available"));
  EXPECT_EQ(refusal("-lang=sh \xff"), "Invalid request: byte 10 is not valid UTF-8; send text as UTF-8.");
  EXPECT_THAT(refusal(std::string(max_line + 1, 'x')), HasSubstr("longer than 1 MiB"));
}

TEST(ClientRequestTest, SurvivesDeepNesting) {
  const std::string deep = "{\"code\":\"x\",\"y\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  EXPECT_THAT(refusal(deep), HasSubstr("nested too deeply"));
}

TEST(FindInvalidUtf8Test, KnowsTheFormsOfRfc3629) {
  const auto npos = std::string_view::npos;
  EXPECT_EQ(find_invalid_utf8("plain \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"), npos);
  EXPECT_EQ(find_invalid_utf8("\xC0\xAF"), 0u);          // overlong
  EXPECT_EQ(find_invalid_utf8("a\xED\xA0\x80"), 1u);     // surrogate
  EXPECT_EQ(find_invalid_utf8("\xF4\x90\x80\x80"), 0u);  // beyond U+10FFFF
  EXPECT_EQ(find_invalid_utf8("ab\xE2\x82"), 2u);        // cut short
  EXPECT_EQ(find_invalid_utf8("\x80"), 0u);              // continuation without a start
}

}  // namespace
}  // namespace pbotvm::service

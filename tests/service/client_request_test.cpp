// SPDX-License-Identifier: MIT
#include "service/client_request.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "service/client_json.h"

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

TEST(ClientRequestTest, TakesThemAmongTheOptionsOfEveryLanguage) {
  const auto request = parse_client_line(R"(-info -lang=sh -args "a \" -lang=x" -vm=Other -paste -lang=bash echo  hi)");
  EXPECT_EQ(request.language, "bash");
  EXPECT_EQ(request.machine, "other");
  EXPECT_EQ(request.code, R"(-info -args "a \" -lang=x" -paste echo  hi)");
  EXPECT_EQ(parse_client_line("-paste -lang=sh").code, "-paste ");
  EXPECT_EQ(parse_client_line("-args -lang=sh -lang=c11 x").code, "-args -lang=sh x");
  EXPECT_EQ(parse_client_line("-args 'never ends -lang=sh").language, "");
  EXPECT_EQ(refusal("-info -lang sh echo"), "Invalid request: write -lang=NAME, with '=' and without blanks.");
}

TEST(ClientRequestTest, TakesThemForCodeBehindAnythingElse) {
  for (const char* line : {"-information -lang=sh x", "-O2 -lang=sh x", "-stdin -lang=sh", "x -lang=sh", "-args"}) {
    EXPECT_EQ(parse_client_line(line).code, line);
    EXPECT_EQ(parse_client_line(line).language, "") << line;
  }
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
  EXPECT_EQ(refusal("-lang=sh \xff"), "Invalid request: byte 10 is not valid UTF-8; send text as UTF-8.");
  EXPECT_THAT(refusal(std::string(max_line + 1, 'x')), HasSubstr("longer than 1 MiB"));
}

TEST(ClientRequestTest, SaysWhatIsWrongWithABlankInPlaceOfEquals) {
  EXPECT_EQ(refusal("-lang sh echo"), "Invalid request: write -lang=NAME, with '=' and without blanks.");
  EXPECT_EQ(refusal("-lang=sh -vm main echo"), "Invalid request: write -vm=NAME, with '=' and without blanks.");
  EXPECT_EQ(refusal("-lang"), "Invalid request: write -lang=NAME, with '=' and without blanks.");
  EXPECT_EQ(parse_client_line("-language x").code, "-language x");
  EXPECT_EQ(parse_client_line(" -lang sh").code, " -lang sh");
}

TEST(ClientRequestTest, TakesTheFormOfTheReply) {
  EXPECT_EQ(parse_client_line(R"({"code":"x"})").reply, ReplyForm::text);
  EXPECT_EQ(parse_client_line(R"({"code":"x","reply":"text"})").reply, ReplyForm::text);
  EXPECT_EQ(parse_client_line(R"({"code":"x","reply":"json"})").reply, ReplyForm::json);
}

TEST(ClientRequestTest, RefusesInTheFormThatWasAskedFor) {
  const auto form_of_refusal = [](std::string_view line) {
    try {
      parse_client_line(line);
    } catch (const RequestError& e) {
      return e.form;
    }
    ADD_FAILURE() << line << " was accepted";
    return ReplyForm::text;
  };
  EXPECT_EQ(form_of_refusal(R"({"code":5,"reply":"json"})"), ReplyForm::json);
  EXPECT_EQ(form_of_refusal(R"({"code":"-lang sh","reply":"json"})"), ReplyForm::json);
  EXPECT_EQ(form_of_refusal(R"({"code":5})"), ReplyForm::text);
  EXPECT_EQ(form_of_refusal(R"({"code":5,"reply":"json")"), ReplyForm::text);
}

TEST(ClientRequestTest, TakesFilesOfTextAndOfBytes) {
  const auto request =
      parse_client_line(R"({"code":"x","files":[{"path":"a/b.txt","content":"text\n"},)"
                        R"({"path":"c","base64":"AP8=","mode":"755"},{"path":"d","content":"","mode":256}]})");
  ASSERT_EQ(request.files.size(), 3u);
  EXPECT_EQ(request.files[0].path, "a/b.txt");
  EXPECT_EQ(request.files[0].content, "text\n");
  EXPECT_EQ(request.files[0].mode, 0644u);
  EXPECT_EQ(request.files[1].content, std::string("\0\xff", 2));
  EXPECT_EQ(request.files[1].mode, 0755u);
  EXPECT_EQ(request.files[2].mode, 0400u);
}

std::string files_refusal(const std::string& files) {
  return refusal(R"({"code":"x","files":)" + files + "}");
}

TEST(ClientRequestTest, RefusesFilesThatCannotBe) {
  EXPECT_THAT(files_refusal(R"("a")"), HasSubstr("\"files\" must be a list, not a string"));
  EXPECT_THAT(files_refusal(R"({"a":1})"), HasSubstr("\"files\" must be a list, not an object"));
  EXPECT_THAT(files_refusal("[1]"), HasSubstr("\"files\" must be a list of objects"));
  EXPECT_THAT(files_refusal(R"([{"content":""}])"), HasSubstr("has no \"path\""));
  EXPECT_THAT(files_refusal(R"([{"path":5,"content":""}])"), HasSubstr("\"path\" must be a string"));
  EXPECT_THAT(files_refusal(R"([{"path":"a"}])"), HasSubstr("'a' needs the key \"content\" or \"base64\""));
  EXPECT_THAT(files_refusal(R"([{"path":"a","content":"","base64":""}])"), HasSubstr("not both"));
  EXPECT_THAT(files_refusal(R"([{"path":"a","content":["x"]}])"), HasSubstr("\"content\" must be a string"));
  for (const auto* bad : {"A", "AB=", "AB==x", "A===", "A B=", "AR==", "AA\\n="}) {
    EXPECT_THAT(files_refusal(std::string(R"([{"path":"a","base64":")") + bad + "\"}]"),
                HasSubstr("\"base64\" must be base64"))
        << bad;
  }
  for (const auto* bad : {"512", "-1", "1.5", "\"8\"", "\"\"", "\"01000\"", "\"x\"", "true", "[1]"}) {
    EXPECT_THAT(files_refusal(std::string(R"([{"path":"a","content":"","mode":)") + bad + "}]"), HasSubstr("\"mode\""))
        << bad;
  }
}

TEST(ClientRequestTest, RefusesFilesThatLeadOutOfTheJobsDirectory) {
  for (const auto* bad : {"/a", "../a", "a/../b", "a//b", "a/", "./a", ".", "..", "a\\u0000b"}) {
    EXPECT_THAT(files_refusal(std::string(R"([{"path":")") + bad + R"(","content":""}])"),
                StartsWith("Invalid request: the file '"))
        << bad;
  }
  const std::string long_part(256, 'a'), long_path(4096, '/');
  EXPECT_THAT(files_refusal(R"([{"path":")" + long_part + R"(","content":""}])"), HasSubstr("255 bytes"));
  EXPECT_THAT(files_refusal(R"([{"path":"a)" + long_path + R"(","content":""}])"), HasSubstr("4095 bytes"));
}

TEST(ClientRequestTest, RefusesFilesThatStandInEachOthersWay) {
  EXPECT_EQ(files_refusal(R"([{"path":"a","content":""},{"path":"a","content":""}])"),
            "Invalid request: the file 'a' is named twice.");
  EXPECT_EQ(files_refusal(R"([{"path":"a/b/c","content":""},{"path":"a/b","content":""}])"),
            "Invalid request: the file 'a/b' stands where 'a/b/c' needs a directory.");
}

TEST(ClientRequestTest, BoundsHowMuchIsInItsLists) {
  std::string many = "[";
  for (int i = 0; i < 257; ++i) {
    many += (i == 0 ? "" : ",") + std::string(R"({"path":"f)") + std::to_string(i) + R"(","content":""})";
  }
  EXPECT_EQ(files_refusal(many + "]"), "Invalid request: the key \"files\" names more than 256 files.");
  std::string nothing = "[0";
  for (int i = 0; i < 400'000; ++i) nothing += ",0";
  EXPECT_THAT(files_refusal(nothing + "]"), HasSubstr("its lists hold more than"));
  EXPECT_THAT(refusal(R"({"code":"x","reply":"json","outputs":[)" + std::string(60 * 4 - 1, ' ') + R"("a")" +
                      [] {
                        std::string more;
                        for (int i = 0; i < 60; ++i) more += ",\"a\"";
                        return more;
                      }() +
                      "]}"),
              HasSubstr("more than 60 patterns"));
}

TEST(ClientRequestTest, TakesPatternsOfOutputsOnlyWhereTheReplyHasAPlaceForThem) {
  EXPECT_THAT(parse_client_line(R"({"code":"x","reply":"json","outputs":["*.txt","out/**"]})").outputs,
              testing::ElementsAre("*.txt", "out/**"));
  EXPECT_THAT(refusal(R"({"code":"x","outputs":["a"]})"), HasSubstr("\"outputs\" needs \"reply\":\"json\" beside it"));
  EXPECT_THAT(refusal(R"({"code":"x","stdin-stream":true})"),
              HasSubstr("\"stdin-stream\" needs \"reply\":\"json\" beside it"));
  EXPECT_THAT(refusal(R"({"code":"x","reply":"json","outputs":["../a"]})"), HasSubstr("the pattern '../a'"));
  EXPECT_THAT(refusal(R"({"code":"x","reply":"json","outputs":[""]})"), HasSubstr("empty pattern"));
  EXPECT_THAT(refusal(R"({"code":"x","reply":"json","outputs":[5]})"), HasSubstr("list of strings"));
  EXPECT_THAT(refusal(R"({"code":"x","reply":"json","stdin-stream":1})"), HasSubstr("must be true or false"));
}

TEST(ClientRequestTest, TakesKeysThatAreSafeAsNamesOfFiles) {
  EXPECT_EQ(parse_client_line(R"({"code":"x","persist-key":"a.B_9-"})").persist_key, "a.B_9-");
  EXPECT_EQ(parse_client_line(R"({"code":"x","persist-key":""})").persist_key, "");
  EXPECT_EQ(parse_client_line(R"({"code":"x","persist-key":null})").persist_key, "");
  const std::string most(64, 'k');
  EXPECT_EQ(parse_client_line(R"({"code":"x","persist-key":")" + most + "\"}").persist_key, most);
  for (const auto& bad :
       std::vector<std::string>{"..", ".hidden", "a/b", "../a", "a b", "a\\u0000", "a\\n", "é", most + "k"}) {
    EXPECT_THAT(refusal(R"({"code":"x","persist-key":")" + bad + "\"}"), HasSubstr("\"persist-key\" must be 1 to 64"))
        << bad;
  }
  EXPECT_THAT(refusal(R"({"code":"x","persist-key":7})"), HasSubstr("\"persist-key\" must be a string"));
}

TEST(ClientWordTest, TakesInputItsEndAndTheWishToEnd) {
  EXPECT_EQ(parse_client_word(R"({"stdin":"a\n"})", true).input, "a\n");
  EXPECT_EQ(parse_client_word(R"({"stdin-base64":"/w=="})", true).input, "\xff");
  EXPECT_TRUE(parse_client_word(R"({"stdin":"a","stdin-end":true})", true).input_end);
  EXPECT_TRUE(parse_client_word(R"({"cancel":true})", false).cancel);
  EXPECT_FALSE(parse_client_word(R"({"cancel":false,"other":[1]})", false).cancel);
}

TEST(ClientWordTest, RefusesWhatItCannotTake) {
  const auto word_refusal = [](const char* line, bool streams) -> std::string {
    try {
      parse_client_word(line, streams);
    } catch (const RequestError& e) {
      EXPECT_EQ(e.form, ReplyForm::json);
      return e.what();
    }
    return "accepted";
  };
  EXPECT_THAT(word_refusal(R"({"stdin":"a"})", false), HasSubstr("without \"stdin-stream\":true"));
  EXPECT_THAT(word_refusal(R"({"stdin-end":true})", false), HasSubstr("without \"stdin-stream\":true"));
  EXPECT_THAT(word_refusal(R"({"stdin":5})", true), HasSubstr("\"stdin\" must be a string"));
  EXPECT_THAT(word_refusal(R"({"stdin":"a","stdin-base64":"AA=="})", true), HasSubstr("not both"));
  EXPECT_THAT(word_refusal(R"({"stdin-base64":"*"})", true), HasSubstr("must be base64"));
  EXPECT_THAT(word_refusal(R"({"cancel":"yes"})", true), HasSubstr("must be true or false"));
  EXPECT_THAT(word_refusal("more text", true), HasSubstr("must be a JSON object"));
  EXPECT_THAT(word_refusal("[1]", true), HasSubstr("must be a JSON object"));
}

TEST(ClientRequestTest, KeepsNothingOfKeysThatAreNobodys) {
  const auto object =
      parse_client_object(R"({"a":"x","b":"y","c":[1],"d":{"a":1},"e":[2],"a2":null})", {"a", "c"}, {"e"});
  EXPECT_FALSE(object.contains("b") || object.contains("d") || object.contains("a2")) << object;
  EXPECT_EQ(object.at("a"), "x");
  EXPECT_EQ(object.at("e"), nlohmann::json::parse("[2]"));
}

TEST(ClientRequestTest, SurvivesDeepNesting) {
  const std::string deep = "{\"code\":\"x\",\"y\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  EXPECT_THAT(refusal(deep), HasSubstr("nested too deeply"));
}

TEST(ClientRequestTest, KnowsAnEmptyInputFromNone) {
  EXPECT_TRUE(parse_client_line(R"({"code":"x","stdin":""})").input_given);
  EXPECT_TRUE(parse_client_line(R"({"code":"x","stdin":"a"})").input_given);
  EXPECT_FALSE(parse_client_line(R"({"code":"x","stdin":null})").input_given);
  EXPECT_FALSE(parse_client_line(R"({"code":"x"})").input_given);
  EXPECT_FALSE(parse_client_line("x").input_given);
}

}  // namespace
}  // namespace pbotvm::service

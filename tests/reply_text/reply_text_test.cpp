// SPDX-License-Identifier: MIT
#include "pbotvm/reply_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pbotvm {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::string_literals;

CodeOptions options_of(const std::string& code, bool takes_options = true) {
  Request request;
  request.code = code;
  return parse_code_options(request, takes_options);
}

// What a program left: stderr, stdout, how it ended.
Result result_of(const std::string& err, const std::string& out, int exit_code = 0, Limit limit = Limit::none) {
  Result result;
  result.steps.resize(1);
  result.steps[0].exit_code = exit_code;
  if (!err.empty()) result.output.push_back({0, Stream::err, err});
  if (!out.empty()) result.output.push_back({0, Stream::out, out});
  result.limit = limit;
  result.output_limit = 100;
  return result;
}

std::string reply_of(const Result& result) {
  return program_reply(Request{}, result);
}

TEST(CodeOptions, OnlyWordsBeforeTheCodeAreOptions) {
  const CodeOptions options = options_of("-O2  -std=c99 puts(\"x\");  -O3");
  EXPECT_THAT(options.tool_options, ElementsAre("-O2", "-std=c99"));
  EXPECT_EQ(options.code, "puts(\"x\");  -O3");
  EXPECT_EQ(options_of(" -O2 x").code, " -O2 x");
  EXPECT_EQ(options_of("-5 + 3").code, "-5 + 3");
  EXPECT_EQ(options_of("- x").code, "- x");
  EXPECT_THAT(options_of("--posix x").tool_options, ElementsAre("--posix"));
}

TEST(CodeOptions, LanguageWithoutOptionsLeavesThemInTheCode) {
  const CodeOptions options = options_of("-info -w x", false);
  EXPECT_TRUE(options.info);
  EXPECT_EQ(options.code, "-w x");
}

TEST(CodeOptions, OptionWithAValueOfItsOwn) {
  Request request;
  request.code = "-include 'a b.h' -O x";
  EXPECT_THAT(parse_code_options(request, true, {"-include"}).tool_options, ElementsAre("-include", "a b.h", "-O"));
}

TEST(CodeOptions, ArgsAreSplitAsAShellDoes) {
  EXPECT_THAT(options_of(R"(-args "'a b' c" x)").arguments, ElementsAre("a b", "c"));
  EXPECT_THAT(options_of(R"(-args '"a \" b" c\ d' x)").arguments, ElementsAre("a \" b", "c d"));
  EXPECT_THAT(options_of(R"(-args one x)").arguments, ElementsAre("one"));
  EXPECT_THAT(options_of(R"(-args "" x)").arguments, IsEmpty());
  Request request;
  request.code = "-args mine x";
  request.arguments = "theirs";
  EXPECT_THAT(parse_code_options(request).arguments, ElementsAre("mine"));
  request.code = "x";
  EXPECT_THAT(parse_code_options(request).arguments, ElementsAre("theirs"));
}

TEST(CodeOptions, StdinTakesAllThatFollowsAndDecodesIt) {
  const CodeOptions options = options_of(R"(cat -stdin a\nb\tc\x41\102 -x  )");
  EXPECT_EQ(options.code, "cat");
  EXPECT_EQ(options.input, "a\nb\tcAB -x  \n");
  EXPECT_EQ(options_of(R"(cat -stdin a\\nb\q\xzz)").input, "a\\\\nb\\q\\xzz\n");
  EXPECT_EQ(options_of(R"(-stdin only)").code, "");
  EXPECT_EQ(options_of("cat -stdin").input, "\n");
  EXPECT_EQ(options_of(R"(x -stdin \x00\377)").input, "\0\xff\n"s);
}

TEST(CodeOptions, StdinInQuotesIsCode) {
  EXPECT_EQ(options_of(R"(puts("use -stdin x");)").code, R"(puts("use -stdin x");)");
  EXPECT_EQ(options_of("echo it's -stdin x").input, "x\n");
  EXPECT_EQ(options_of("a-stdin x").code, "a-stdin x");
  EXPECT_EQ(options_of("a -stdinx").code, "a -stdinx");
}

TEST(CodeOptions, InputOfTheRequestIsTakenExactly) {
  Request request;
  request.code = "cat";
  request.input = "no newline";
  EXPECT_EQ(parse_code_options(request).input, "no newline");
}

TEST(CodeOptions, NewlineOutsideOfQuotes) {
  EXPECT_EQ(options_of(R"(a\nb)").code, "a\nb");
  EXPECT_EQ(options_of(R"(printf("hi\n");)").code, R"(printf("hi\n");)");
  EXPECT_EQ(options_of(R"(c = '\n';\nd)").code, "c = '\\n';\nd");
  EXPECT_EQ(options_of(R"("a\"\n"\n'\'\n')").code, "\"a\\\"\\n\"\n'\\'\\n'");
  EXPECT_EQ(options_of(R"(a\\nb)").code, R"(a\\nb)");
  EXPECT_EQ(options_of("# it's\\necho b").code, "# it's\necho b");
}

TEST(CodeOptions, CodeOfSeveralLinesMeansWhatItSays) {
  EXPECT_EQ(options_of("s/\\n//\nx").code, "s/\\n//\nx");
}

TEST(CodeOptions, InnerBlanksSurviveTrailingOnesDoNot) {
  EXPECT_EQ(options_of("a   b  \n ").code, "a   b");
}

TEST(Words, SplitAndQuoteAreInverse) {
  const std::vector<std::string> words = {"a", "", "b c", "it's", "\"", "\\", "$x", "-w", "n\nl"};
  EXPECT_EQ(split_words(quote_words(words)), words);
  EXPECT_EQ(quote_words({"gcc", "-fsanitize=a,b", "x y"}), "gcc -fsanitize=a,b 'x y'");
  EXPECT_THAT(split_words("a 'b"), ElementsAre("a", "b"));
}

TEST(Printable, InvalidBytesAreReplaced) {
  EXPECT_EQ(printable("a\xff"
                      "b"),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(printable("\xe2\x82"), "\xEF\xBF\xBD");                              // cut off
  EXPECT_EQ(printable("\xed\xa0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // a surrogate
  EXPECT_EQ(printable("\xc0\xaf"), "\xEF\xBF\xBD\xEF\xBF\xBD");                  // overlong
  EXPECT_EQ(printable("\xf4\x90\x80\x80").size(), 12u);                          // beyond U+10FFFF
  EXPECT_EQ(printable("grün € 😀"), "grün € 😀");
}

TEST(Printable, ControlsAreShownAndThoseOfIrcKept) {
  EXPECT_EQ(printable("a\0b"s), "a\\x00b");
  EXPECT_EQ(printable("\x01\x1a\x0b."), "\\x01\\x1a\\x0b.");
  EXPECT_EQ(printable("\x1b[1m\f\a"), "<esc>[1m<ff>*DING*");
  EXPECT_EQ(printable("\t.\r.\x7f\x02\x03\x0f\x11\x1d\x1e\x1f"), "\t.\r.\x7f\x02\x03\x0f\x11\x1d\x1e\x1f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "1m"),
            "\\x9b1m");
}

TEST(Printable, BackspacesAreApplied) {
  EXPECT_EQ(printable("ab\bc"), "ac");
  EXPECT_EQ(printable("\bx\b\b\by"), "y");
  EXPECT_EQ(printable("a€\bc"), "ac");
  EXPECT_EQ(printable("\a\bc"), "c");
  EXPECT_EQ(printable("a\n\b\bc"), "a\nc");
}

TEST(Printable, BlanksAtTheEndAreCutThoseInFrontKept) {
  EXPECT_EQ(printable("  a \t\r\n\n"), "  a");
}

TEST(ProgramReply, TextsOfPbot) {
  EXPECT_EQ(reply_of(result_of("", "")), "Success (no output).");
  EXPECT_EQ(reply_of(result_of("", "", 3)), "Exit 3.");
  EXPECT_EQ(reply_of(result_of("", "hi\n", 3)), "hi\n [Exit 3]");
  EXPECT_EQ(reply_of(result_of("", "abc", 4)), "abc [Exit 4]");
  EXPECT_EQ(reply_of(result_of("err1\nerr2\n", "out1\nout2\n")), "err1\nerr2\n out1\nout2");
  EXPECT_EQ(reply_of(result_of("err\n", "")), "err");
}

TEST(ProgramReply, SignalsAreToldAsAShellDoes) {
  Result result = result_of("", "x");
  result.steps[0].signal = 11;
  EXPECT_EQ(reply_of(result), "x [Exit 139]");
}

TEST(ProgramReply, FactoidThatPrintsNothingIsEmpty) {
  Request request;
  request.factoid = true;
  EXPECT_EQ(program_reply(request, result_of("", "")), "");
  EXPECT_EQ(program_reply(request, result_of("", "", 3)), "");
  EXPECT_EQ(program_reply(request, result_of("", "x", 3)), "x [Exit 3]");
  EXPECT_EQ(program_reply(request, result_of("", "", 0, Limit::wall)), "[Timed-out]");
}

TEST(ProgramReply, LimitsStandBehindWhatWasPrintedWithoutAnExit) {
  EXPECT_EQ(reply_of(result_of("", "hi\n", 137, Limit::wall)), "hi\n [Timed-out]");
  EXPECT_EQ(reply_of(result_of("", "", 0, Limit::cpu)), "[Timed-out]");
  EXPECT_EQ(reply_of(result_of("", "a", 137, Limit::memory)), "a [Memory limit]");
  EXPECT_EQ(reply_of(result_of("", "yyy", 137, Limit::output)), "yyy [Output cut at 100 bytes]");
  EXPECT_EQ(reply_of(result_of("", "a", 153, Limit::file_size)), "a [File size limit]");
  EXPECT_EQ(reply_of(result_of("", "", 137, Limit::cancelled)), "[Killed]");
}

TEST(ProgramReply, ProcessLimitLetsTheJobTellItsEnd) {
  EXPECT_EQ(reply_of(result_of("sh: Cannot fork\n", "", 2, Limit::processes)),
            "sh: Cannot fork\n [Exit 2] [Process limit]");
  EXPECT_EQ(reply_of(result_of("", "", 0, Limit::processes)), "[Process limit]");
}

TEST(ProgramReply, SaysEachLimitThatWasMetOnce) {
  Result result = result_of("", "a", 137, Limit::wall);
  result.steps[0].limit = Limit::processes;
  EXPECT_EQ(reply_of(result), "a [Process limit] [Timed-out]");
  result.steps[0].limit = Limit::cpu;
  EXPECT_EQ(reply_of(result), "a [Timed-out]");
  result.limit = Limit::processes;
  EXPECT_EQ(reply_of(result), "a [Process limit] [Timed-out]");
  result.steps[0].limit = Limit::none;
  EXPECT_EQ(reply_of(result), "a [Exit 137] [Process limit]");
}

TEST(ProgramReply, WhatAProgramPrintsNeverBecomesTheEnd) {
  EXPECT_EQ(reply_of(result_of("", "[Killed]\n", 3)), "[Killed]\n [Exit 3]");
  EXPECT_EQ(reply_of(result_of("", "x\b\b\xe2\x82", 3)), "\xEF\xBF\xBD [Exit 3]");
}

TEST(ProgramReply, StepThatCouldNotBeStartedSaysWhy) {
  Result result = result_of("", "");
  result.steps[0].error = "sh: No such file or directory";
  EXPECT_EQ(reply_of(result), "sh: No such file or directory");
}

TEST(ProgramReply, OnlyTheLastStepThatRan) {
  Result result = result_of("warning\n", "", 0);
  result.steps.push_back({});
  result.steps[1].step = 1;
  result.output.push_back({1, Stream::out, "out\n"});
  EXPECT_EQ(reply_of(result), "out");
  EXPECT_EQ(program_reply(Request{}, result, "[warning]"), "[warning]\nout");
  result.output.pop_back();
  EXPECT_EQ(program_reply(Request{}, result, "[warning]"), "[warning]\nSuccess (no output).");
}

TEST(ProgramReply, StepCutShortMayBeKnownByItsOutputAlone) {
  Result result;
  result.limit = Limit::wall;
  result.output = {{0, Stream::err, "warning\n"}, {1, Stream::out, "partial"}};
  EXPECT_EQ(reply_of(result), "partial [Timed-out]");
}

TEST(FailureReply, MessagesAlone) {
  EXPECT_EQ(failure_reply(result_of("x", "", 1), "error: y\n"), "error: y");
  EXPECT_EQ(failure_reply(result_of("", "", 1), ""), "Exit 1.");
  EXPECT_EQ(failure_reply(result_of("", "", 1, Limit::memory), "cc1"), "cc1 [Memory limit]");
}

}  // namespace
}  // namespace pbotvm

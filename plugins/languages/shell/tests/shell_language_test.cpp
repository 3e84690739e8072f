// SPDX-License-Identifier: MIT
#include "shell_language.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../../tests/local_runner.h"
#include "pbotvm/reply_text.h"

namespace pbotvm::shell {
namespace {

using testing::reply_to;

std::string sh(const std::string& code) {
  return reply_to(ShellLanguage("sh"), code);
}

Job planned(const std::string& code) {
  Request request;
  request.language = "sh";
  request.code = code;
  return std::get<Job>(ShellLanguage("sh").plan(request));
}

TEST(Shell, RepliesAreThoseOfPbot) {
  EXPECT_EQ(sh("echo hello"), "hello");
  EXPECT_EQ(sh("echo hi; exit 3"), "hi\n [Exit 3]");
  EXPECT_EQ(sh("printf abc; exit 4"), "abc [Exit 4]");
  EXPECT_EQ(sh("true"), "Success (no output).");
  EXPECT_EQ(sh("exit 3"), "Exit 3.");
  EXPECT_EQ(sh("kill -9 $$"), "Exit 137.");
  EXPECT_EQ(sh("echo out1; echo err1 >&2; echo err2 >&2; echo out2"), "err1\nerr2\n out1\nout2");
}

TEST(Shell, InputAndArguments) {
  EXPECT_EQ(sh("cat -stdin one\\ntwo"), "one\ntwo");
  EXPECT_EQ(sh(R"(-args "'a b' c" echo "$#:$1")"), "2:a b");
  EXPECT_EQ(sh("read x; echo \"<$x>\""), "<>");
}

TEST(Shell, NewlinesOfALine) {
  EXPECT_EQ(sh("echo a\\necho b"), "a\nb");
  EXPECT_EQ(sh("printf 'a\\nb'"), "a\nb");
}

TEST(Shell, CodeIsAFileAndNeverPartOfACommand) {
  const Job job = planned("echo \"$(id)\"; '");
  EXPECT_EQ(job.files.at(0).path, "prog.sh");
  EXPECT_EQ(job.files.at(0).content, "echo \"$(id)\"; '\n");
  EXPECT_THAT(job.steps.at(0).argv, ::testing::ElementsAre("sh", "prog.sh"));
  EXPECT_TRUE(job.steps.at(0).reads_input);
}

TEST(Shell, OptionsAndInfo) {
  EXPECT_THAT(planned("-e -o nounset echo x").steps.at(0).argv,
              ::testing::ElementsAre("sh", "-e", "-o", "nounset", "prog.sh"));
  EXPECT_EQ(sh("-info"), "sh cmdline: sh prog.sh");
  EXPECT_EQ(reply_to(ShellLanguage("bash"), "-x -info"), "bash cmdline: bash -x prog.bash");
  EXPECT_EQ(sh(""), usage_text());
}

TEST(Shell, OptionsThatAreNoScriptsAreRefused) {
  EXPECT_THAT(sh("-c 'echo x'"), ::testing::StartsWith("Option '-c' is not allowed for language 'sh'; allowed are -a"));
  EXPECT_THAT(sh("-i x"), ::testing::StartsWith("Option '-i' is not allowed"));
  EXPECT_EQ(sh("-eu echo \"$x\"").find("not allowed"), std::string::npos);
}

TEST(Shell, TellsItsFacts) {
  ShellLanguage shell("sh");
  const auto* facts = static_cast<const LanguageFacts*>(shell.extension(LanguageFacts::identifier));
  ASSERT_NE(facts, nullptr);
  EXPECT_EQ(facts->file(), "prog.sh");
  EXPECT_THAT(facts->packages("debian"), ::testing::ElementsAre("dash"));
  EXPECT_THAT(facts->packages("fedora"), ::testing::ElementsAre("bash"));
  EXPECT_EQ(facts->comment_marks().end, "CMDLINE");
  EXPECT_EQ(sh(facts->stdin_program() + " -stdin x"), "x");
}

TEST(Shell, TellsItsOptions) {
  ShellLanguage shell("bash");
  const auto* options = static_cast<const LanguageOptions*>(shell.extension(LanguageOptions::identifier));
  ASSERT_NE(options, nullptr);
  EXPECT_TRUE(options->takes_options());
  EXPECT_THAT(options->option_rules(), ::testing::IsSupersetOf({"-e", "-o *", "-O *"}));
}

TEST(Shell, BashIsBash) {
  EXPECT_EQ(reply_to(ShellLanguage("bash"), "a=(1 2 3); echo ${#a[@]}"), "3");
}

}  // namespace
}  // namespace pbotvm::shell

// SPDX-License-Identifier: MIT
#include "service/pastes.h"

#include <gtest/gtest.h>

namespace pbotvm::service {
namespace {

LanguageDetails language_with(std::vector<std::string> options_with_value, bool takes_options = true) {
  LanguageDetails details;
  details.options_with_value = std::move(options_with_value);
  details.takes_options = takes_options;
  return details;
}

TEST(PastesTest, FindsTheOptionAmongThoseInFrontOfTheCodeOnly) {
  for (const char* code : {"-paste x", "-info -paste x", "-O2 -paste x", "-include stdio.h -paste x", "-I -paste x",
                           "-args 'a b' -paste x", "--std=c11 -paste", "-paste -stdin x"})
    EXPECT_TRUE(asks_for_paste(code, language_with({"-include"}))) << code;
  for (const char* code : {"x -paste", "-pasted x", "\"-paste\" x", "x -stdin -paste", "-args -paste x", " -paste x",
                           "", "-include -paste x"})
    EXPECT_FALSE(asks_for_paste(code, language_with({"-include"}))) << code;
}

TEST(PastesTest, ReadsOptionsAsTheLanguageDoes) {
  EXPECT_TRUE(asks_for_paste("-o pipefail -paste x", language_with({"-o"})));
  EXPECT_FALSE(asks_for_paste("-o pipefail -paste x", language_with({}))) << "pipefail is the code";
  EXPECT_TRUE(asks_for_paste("-info -paste -x", language_with({}, false)));
  EXPECT_FALSE(asks_for_paste("-x -paste", language_with({}, false))) << "-x is the code";
}

TEST(PastesTest, TakesWhatWasRunWithoutWhatExplainsACrash) {
  Job job;
  job.files = {{"prog.c", "int main;"}, {"other", "text"}};
  job.steps = {{"compile", {"gcc", "prog.c"}, {}, false, When::always},
               {"run", {"./prog", "a b"}, {}, true, When::after_success},
               {"explain", {"gdb"}, {}, false, When::after_crash}};
  job.input = "in\n";
  const auto page = page_of(job, {"/***", "***/"});
  EXPECT_EQ(page.file, "prog.c");
  EXPECT_EQ(page.source, "int main;");
  EXPECT_EQ(page.commands, (std::vector<std::string>{"gcc prog.c", "./prog 'a b'"}));
  EXPECT_EQ(page.input, "in\n");
  EXPECT_EQ(page.marks.end, "***/");
  job.steps[1].reads_input = false;
  EXPECT_EQ(page_of(job, {}).input, "");
}

}  // namespace
}  // namespace pbotvm::service

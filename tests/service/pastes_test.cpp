// SPDX-License-Identifier: MIT
#include "service/pastes.h"

#include <gtest/gtest.h>

namespace pbotvm::service {
namespace {

TEST(PastesTest, FindsTheOptionAmongThoseInFrontOfTheCodeOnly) {
  for (const char* code : {"-paste x", "-info -paste x", "-O2 -paste x", "-include stdio.h -paste x", "-I -paste x",
                           "-args 'a b' -paste x", "--std=c11 -paste", "-paste -stdin x"})
    EXPECT_TRUE(asks_for_paste(code)) << code;
  for (const char* code :
       {"x -paste", "-pasted x", "\"-paste\" x", "x -stdin -paste", "-args -paste x", " -paste x", ""})
    EXPECT_FALSE(asks_for_paste(code)) << code;
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

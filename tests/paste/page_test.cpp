// SPDX-License-Identifier: MIT
#include "paste/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pbotvm::paste {
namespace {

Page page_with(CommentMarks marks) {
  return {"prog.x", "code\n\n", {"cc prog.x", "./prog 'a b'"}, "one\ntwo\n", "hi", std::move(marks)};
}

TEST(PageTest, HasTheSourceAndBothBlocksInTheLanguagesComments) {
  EXPECT_EQ(
      page_text(page_with({"/***", "***/"})),
      "code\n\n/*** CMDLINE\ncc prog.x\n./prog 'a b'\nstandard input:\none\ntwo\n***/\n\n/*** OUTPUT\nhi\n***/\n");
}

TEST(PageTest, NamesAHereDocumentAfterItsBlock) {
  EXPECT_EQ(page_text(page_with({": <<'CMDLINE'", "CMDLINE"})),
            "code\n\n: <<'CMDLINE'\ncc prog.x\n./prog 'a b'\nstandard input:\none\ntwo\nCMDLINE\n\n"
            ": <<'OUTPUT'\nhi\nOUTPUT\n");
}

TEST(PageTest, StandsInFrontOfEveryLineWhereAMarkHasNoEnd) {
  EXPECT_EQ(page_text(page_with({"#", ""})),
            "code\n\n# CMDLINE:\n# cc prog.x\n# ./prog 'a b'\n# standard input:\n# one\n# two\n\n# OUTPUT:\n# hi\n");
  EXPECT_EQ(page_text(page_with({"", ""})),
            "code\n\nCMDLINE:\ncc prog.x\n./prog 'a b'\nstandard input:\none\ntwo\n\nOUTPUT:\nhi\n");
}

TEST(PageTest, ProgramsCannotEndTheCommentOfTheirOutput) {
  const auto output_of = [](const CommentMarks& marks, const std::string& output) {
    Page page = page_with(marks);
    page.output = output;
    const std::string text = page_text(page);
    return text.substr(text.find("OUTPUT"));
  };
  EXPECT_EQ(output_of({"/***", "***/"}, "a */ b ***/"), "OUTPUT\na * / b *** /\n***/\n");
  EXPECT_EQ(output_of({"{-|", "-}"}, "-}"), "OUTPUT\n- }\n-}\n");
  EXPECT_EQ(output_of({"'''", "'''"}, "''''''"), "OUTPUT\n ' ' ' ' ' '\n'''\n");
  EXPECT_EQ(output_of({": <<'CMDLINE'", "CMDLINE"}, "x\nOUTPUT\ny OUTPUT"), "OUTPUT'\nx\n OUTPUT\ny OUTPUT\nOUTPUT\n");
  EXPECT_EQ(output_of({"set CMDLINE {", "}"}, "a } {b"), "OUTPUT {\na ? ?b\n}\n");
  EXPECT_EQ(output_of({"( ", " )"}, "a) b"), "OUTPUT\na? b\n )\n");
  EXPECT_EQ(output_of({"=pod", "=cut"}, "=cut\nx =cut"), "OUTPUT\n =cut\nx =cut\n=cut\n");
  EXPECT_EQ(output_of({"(*", "*)"}, "(* *)"), "OUTPUT\n( * * )\n*)\n");
  EXPECT_EQ(output_of({"(*{|", "|}*)"}, "{| |} \" |}*) (*"), "OUTPUT\n{| | } \" | } * ) ( *\n|}*)\n");
  EXPECT_EQ(output_of({"[-][", "]"}, "[.]!"), "OUTPUT\n?.??\n]\n");
  EXPECT_EQ(output_of({"/*", "*/"}, "<?php x"), "OUTPUT\n< ?php x\n*/\n");
  EXPECT_EQ(output_of({"/*", "*/"}, "*??/\n/"), "OUTPUT\n*?? /\n /\n*/\n");
  EXPECT_EQ(output_of({"/*", "*/"}, "*\\\n/ \\u002a/"), "OUTPUT\n*\\\n / \\ u002a/\n*/\n");
  EXPECT_EQ(output_of({": <<'CMDLINE'", "CMDLINE"}, std::string("OUT\0PUT", 7)), "OUTPUT'\nOUT\\0PUT\nOUTPUT\n");
}

TEST(PageTest, WhateverEndsALineForSomeLanguageBeginsANewLineOfTheComment) {
  for (const std::string end : {"\n", "\r", "\r\n", "\v", "\f", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"}) {
    Page page = page_with({"# ", ""});
    page.commands = {"sh prog.x 'a" + end + "reboot'"};
    page.input = "i" + end + "j";
    page.output = "o" + end + end + "p";
    EXPECT_EQ(
        page_text(page),
        "code\n\n# CMDLINE:\n# sh prog.x 'a\n# reboot'\n# standard input:\n# i\n# j\n\n# OUTPUT:\n# o\n# \n# p\n");
  }
}

TEST(PageTest, ShowsThatACharacterWasThereWhichCompilersRefuseInComments) {
  for (const std::string character : {"\xe2\x80\xaa", "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa9", "\xef\xbb\xbf"}) {
    Page page = page_with({"# ", ""});
    page.output = "a" + character + "\xe2\x80\xaf\xe2\x80";
    EXPECT_THAT(page_text(page), testing::EndsWith("# a\xef\xbf\xbd\xe2\x80\xaf\xe2\x80\n")) << character;
  }
}

}  // namespace
}  // namespace pbotvm::paste

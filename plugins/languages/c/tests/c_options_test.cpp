// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../../tests/local_runner.h"
#include "c_language.h"
#include "compiler_options.h"
#include "pbotvm/reply_text.h"

namespace pbotvm::c {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::reply_to;

TEST(Dialects, CommandsAreThoseOfTheOriginal) {
  const std::string common =
      "-Wextra -Wall -Wno-unused-parameter -Wno-unused-variable -pedantic -Wfloat-equal -Wshadow ";
  EXPECT_EQ(reply_to(CLanguage("clang2x"), "-info"),
            "clang2x cmdline: clang -gdwarf-2 -g3 prog.c " + common +
                "-std=c2x -lm -Wfatal-errors -fsanitize=integer,alignment,undefined -fno-caret-diagnostics -o prog");
  EXPECT_EQ(reply_to(CLanguage("c++"), "-info"),
            "c++ cmdline: g++ -ggdb -g3 prog.cpp " + common +
                "-std=c++14 -lm -Wfatal-errors -fsanitize=alignment,undefined -fno-diagnostics-show-caret -o prog");
  EXPECT_EQ(reply_to(CLanguage("clang++"), "-O2 -std=c++20 -info"),
            "clang++ cmdline: clang++ -ggdb -g3 prog.cpp -O2 -std=c++20 -o prog");
}

TEST(Dialects, NamesAndAliases) {
  std::vector<std::string> names;
  for (const Dialect& dialect : dialects()) names.push_back(CLanguage(dialect.name).name());
  EXPECT_THAT(names, ElementsAre("c89", "c99", "c11", "c17", "c2x", "clang89", "clang99", "clang11", "clang2x", "c++",
                                 "c++17", "c++20", "c++23", "clang++"));
  EXPECT_EQ(dialect("c23").name, "c2x");
  EXPECT_EQ(dialect("clang").name, "clang2x");
  EXPECT_EQ(dialect("c").name, "c11");
  EXPECT_EQ(dialect("gcc").name, "c17");  // what gcc 12 and g++ 12 take without -std
  EXPECT_EQ(dialect("g++").name, "c++17");
  EXPECT_THAT(CLanguage("c2x").aliases(), ElementsAre("c23"));
  EXPECT_THROW(dialect("c78"), std::out_of_range);
  EXPECT_THROW(dialect(""), std::out_of_range);
}

TEST(Dialects, TellWhatBringsThem) {
  CLanguage language("c++20");
  const auto* facts = static_cast<const LanguageFacts*>(language.extension(LanguageFacts::identifier));
  ASSERT_NE(facts, nullptr);
  EXPECT_EQ(facts->file(), "prog.cpp");
  EXPECT_EQ(facts->packages("debian").front(), "g++");
  EXPECT_EQ(facts->packages("fedora").front(), "gcc-c++");
  EXPECT_TRUE(facts->packages("plan9").empty());
  EXPECT_EQ(facts->comment_marks().begin, "/***");
  EXPECT_EQ(language.extension("something else"), nullptr);
}

class EveryDialect : public ::testing::TestWithParam<std::size_t> {
 protected:
  CLanguage language_{dialects()[GetParam()].name};
};

INSTANTIATE_TEST_SUITE_P(C, EveryDialect, ::testing::Range(std::size_t{0}, dialects().size()),
                         [](const ::testing::TestParamInfo<std::size_t>& which) {
                           std::string name(dialects()[which.param].name);
                           for (char& c : name)
                             if (c == '+') c = 'p';
                           return name;
                         });

TEST_P(EveryDialect, SaysHelloAndCopiesItsInput) {
  EXPECT_EQ(reply_to(language_, language_.hello()), "hello");
  EXPECT_EQ(reply_to(language_, language_.stdin_program() + " -stdin one"), "one");
}

TEST_P(EveryDialect, ShowsTheLastValueWithItsType) {
  EXPECT_EQ(reply_to(language_, "int x = 5; x * 2"), "no output: x * 2 = 10 (int)");
  EXPECT_EQ(reply_to(language_, "int x = 5; double d = 2.5;"), "no output: x = 5 (int); d = 2.5 (double)");
}

TEST(Options, ThoseThatLoadReadOrWriteAreRefused) {
  const CLanguage c11("c11");
  for (const char* option : {"-fplugin=x.so",
                             "-specs=x",
                             "-wrapper",
                             "-o",
                             "-MMD",
                             "-MF",
                             "-dumpbase",
                             "-save-temps",
                             "-B.",
                             "-Wl,-rpath,/x",
                             "-Wa,-x",
                             "-Wp,-MD,x",
                             "-x",
                             "-include /etc/passwd",
                             "-include ../x.h",
                             "-fdump-tree-all",
                             "-fprofile-arcs",
                             "-mllvm",
                             "-Xclang",
                             "-Xlinker",
                             "-T",
                             "-I/etc",
                             "-L/x",
                             "-D @x",
                             "-D@x",
                             "-U@x",
                             "-O@x",
                             "-finput-charset=UTF-16",
                             "-fdiagnostics-color=always",
                             "-fmessage-length=20",
                             "-fdiagnostics-format=json-file",
                             "-imacros",
                             "-isystem",
                             "-E",
                             "-c",
                             "-v",
                             "-fsanitize-blacklist=/etc/passwd",
                             "-fuse-ld=gold",
                             "-fdeps-file=x",
                             "-fdeps-format=p1689r5",
                             "-fmodules-ts",
                             "-fmodule-mapper=x",
                             "-fmodule-output",
                             "-fpass-plugin=x",
                             "-fno-plugin=x",
                             "-fopt-info-all=x",
                             "-fcallgraph-info",
                             "-fstack-usage",
                             "-ftime-trace=x",
                             "-frecord-gcc-switches",
                             "-fcompare-debug",
                             "-fcrash-diagnostics-dir=x",
                             "-fsave-optimization-record",
                             "-fauto-profile=x",
                             "-fbranch-probabilities",
                             "-fcoverage-mapping",
                             "-fsanitize-ignorelist=x",
                             "-fsanitize-coverage-allowlist=x",
                             "-fexec-charset=../x",
                             "-finstrument-functions-exclude-file-list=x",
                             "-fopenmp-targets=x",
                             "-fsyntax-only",
                             "-fno-such-thing",
                             "-module-dependency-dir x"})
    EXPECT_THAT(reply_to(c11, std::string(option) + " puts(\"x\");"), HasSubstr("is not allowed for language 'c11'; "))
        << option;
}

TEST(Options, ALanguageIsNoLibrary) {
  EXPECT_EQ(reply_to(CLanguage("c11"), "-O2 -lang=c++ 1"),
            "Option '-lang=c++' is not allowed for language 'c11'; it stands in front of the language's options.");
  EXPECT_THAT(reply_to(CLanguage("c11"), "-O2 -lang c++ 1"), HasSubstr("Option '-lang' is not allowed"));
  EXPECT_EQ(ToolOptions(option_rules()).first_refused({"-langle"}), "");
}

TEST(Options, ThoseOfEverydayAreTaken) {
  const CLanguage c11("c11");
  EXPECT_EQ(
      reply_to(c11, "-O2 -std=gnu11 -Wall -fwrapv -DX=2 -D Y=3 -UZ -lm -march=x86-64 -pthread printf(\"%d\", X + Y);"),
      "5");
  EXPECT_THAT(reply_to(c11, "-Wall -march=none puts(\"x\");"), HasSubstr("error: "));
  for (const char* option :
       {"-fsanitize=address", "-fno-sanitize=all", "-fno-omit-frame-pointer", "-ffast-math", "-fno-builtin-printf",
        "-ftree-vectorize", "-fno-math-errno", "-fno-caret-diagnostics", "-fopenmp", "-fshort-enums", "-funsigned-char",
        "-fPIE", "-fno-strict-aliasing", "-fstack-protector-all", "-fanalyzer", "-ftrapv", "-fexceptions"})
    EXPECT_EQ(ToolOptions(option_rules()).first_refused({option}), "") << option;
}

TEST(Options, MessagesQuoteNothingThatWasAddedToTheCode) {
  for (const char* option : {"-O2", "-Wstack-usage=1", "-Wframe-larger-than=1", "-Wtraditional"}) {
    EXPECT_THAT(reply_to(CLanguage("c11"), std::string(option) + " int x = 5 return x"), Not(HasSubstr("pbotvm")));
    EXPECT_THAT(reply_to(CLanguage("c11"), std::string(option) + " int x = 5; x"), Not(HasSubstr("pbotvm_")));
  }
  EXPECT_THAT(reply_to(CLanguage("c++20"), "int x = value_;"), Not(HasSubstr("pbotvm_")));
}

TEST(Options, TheDefaultOnesAreTaken) {
  for (const Dialect& dialect : dialects())
    for (const bool carets : {false, true})
      EXPECT_EQ(ToolOptions(option_rules()).first_refused(dialect.default_options(carets)), "") << dialect.name;
}

TEST(Options, PastedCommandsShowTheLinesOfWhichTheySpeak) {
  Request request;
  request.language = "c11";
  request.code = "-paste int x = y;";
  const Plan plan = CLanguage("c11").plan(request);
  ASSERT_TRUE(std::holds_alternative<Job>(plan));
  EXPECT_THAT(quote_words(std::get<Job>(plan).steps[0].argv), HasSubstr(" -fdiagnostics-show-caret"));
}

TEST(Options, FactoidsShowNoValues) {
  Request request;
  request.code = "int x = 5;";
  request.factoid = true;
  EXPECT_EQ(reply_to(CLanguage("c11"), request), "");
}

}  // namespace
}  // namespace pbotvm::c

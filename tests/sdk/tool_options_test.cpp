// SPDX-License-Identifier: MIT
#include "pbotvm/tool_options.h"

#include <gtest/gtest.h>

#include "pbotvm/error.h"

namespace pbotvm {
namespace {

const ToolOptions gcc({"-O?", "-W*", "!-Wl,*", "!-Wa,*", "-std=c*", "-include *", "!-include */*", "-D *"});

TEST(ToolOptions, AllowsWhatARuleNames) {
  EXPECT_EQ(gcc.first_refused({"-O2", "-Wall", "-Wformat=2", "-std=c11"}), "");
  EXPECT_EQ(gcc.first_refused({}), "");
}

TEST(ToolOptions, RefusesWhatNoRuleNames) {
  EXPECT_EQ(gcc.first_refused({"-O2", "-fplugin=x.so", "-specs=y"}), "-fplugin=x.so");
  EXPECT_EQ(gcc.first_refused({"-O22"}), "-O22");
  EXPECT_EQ(gcc.first_refused({"-std=gnu11"}), "-std=gnu11");
  EXPECT_EQ(ToolOptions({}).first_refused({"-x"}), "-x");
}

TEST(ToolOptions, ARuleWithAnExclamationMarkWinsOverAnother) {
  EXPECT_EQ(gcc.first_refused({"-Wl,@file"}), "-Wl,@file");
  EXPECT_EQ(gcc.first_refused({"-Wla"}), "");
}

TEST(ToolOptions, AnOptionWithAValueTakesTheNextWord) {
  EXPECT_EQ(gcc.first_refused({"-include", "stdio.h", "-O1"}), "");
  EXPECT_EQ(gcc.first_refused({"-include", "/etc/passwd"}), "-include /etc/passwd");
  EXPECT_EQ(gcc.first_refused({"-D", "-fplugin=x"}), "") << "a value is never an option";
  EXPECT_EQ(gcc.first_refused({"-O1", "-include"}), "-include");
  EXPECT_EQ(gcc.with_value(), (std::vector<std::string_view>{"-include", "-include", "-D"}));
}

TEST(ToolOptions, GivesItsRulesBackAsTheyWere) {
  const std::vector<std::string> rules = {"-w", "-W*", "-include *", "!-Wl,*", "!-D x*"};
  EXPECT_EQ(ToolOptions(rules).rules(), rules);
}

TEST(ToolOptions, ControlCharactersMatchNothing) {
  EXPECT_EQ(gcc.first_refused({"-Wall\nx"}), "-Wall\nx");
}

TEST(ToolOptions, StarsBacktrack) {
  const ToolOptions rules({"-a*b*c"});
  EXPECT_EQ(rules.first_refused({"-axbxbxc"}), "");
  EXPECT_EQ(rules.first_refused({"-abc"}), "");
  EXPECT_EQ(rules.first_refused({"-axcxb"}), "-axcxb");
}

TEST(ToolOptions, RefusalNamesTheOptionAndWhatIsAllowed) {
  EXPECT_EQ(ToolOptions({"-w", "-I *", "!-W*"}).refusal("perl", {"-e\x1b"}),
            "Option '-e<esc>' is not allowed for language 'perl'; allowed are -w, -I *");
  EXPECT_EQ(ToolOptions({}).refusal("bf", {"-x"}), "Option '-x' is not allowed for language 'bf'; it takes none.");
  EXPECT_EQ(gcc.refusal("c11", {"-O1"}), "");
}

TEST(ToolOptions, RefusalOfWhatIsExcludedNamesTheExclusion) {
  EXPECT_EQ(
      gcc.refusal("c11", {"-O1", "-include", "/etc/shadow"}),
      "Option '-include /etc/shadow' is not allowed for language 'c11'; of -include *, -include */* is excluded.");
  EXPECT_EQ(gcc.refusal("c11", {"-Wl,-v"}),
            "Option '-Wl,-v' is not allowed for language 'c11'; of -W*, -Wl,* is excluded.");
  EXPECT_EQ(ToolOptions({"-w", "!-Wl,*"}).refusal("c11", {"-Wl,-v"}),
            "Option '-Wl,-v' is not allowed for language 'c11'; allowed are -w")
      << "no rule would allow it";
}

TEST(ToolOptions, RefusalSaysThatAValueIsMissing) {
  EXPECT_EQ(gcc.refusal("c11", {"-O1", "-include"}),
            "Option '-include' needs a value for language 'c11': a word behind it.");
}

TEST(ToolOptions, RefusalSaysWhereTheRequestsOwnOptionsStand) {
  for (const std::string option : {"-lang=c++", "-vm=main"})
    EXPECT_EQ(
        gcc.refusal("c11", {"-O1", option}),
        "Option '" + option + "' is not allowed for language 'c11'; it stands in front of the language's options.");
}

TEST(ToolOptions, RulesThatMeanNothingAreRefused) {
  for (const char* rule : {"", "w", "!", "-", "!x", "-a b c", "-a "}) EXPECT_THROW(ToolOptions({rule}), Error) << rule;
}

}  // namespace
}  // namespace pbotvm

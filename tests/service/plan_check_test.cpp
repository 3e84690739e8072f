// SPDX-License-Identifier: MIT
#include "service/plan_check.h"

#include <gmock/gmock.h>

#include "service/catalogue.h"

namespace pbotvm::service {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Job echo(std::vector<std::string> words = {"x"}) {
  Job job;
  Step step;
  step.argv = std::move(words);
  step.argv.insert(step.argv.begin(), "echo");
  job.steps.push_back(step);
  return job;
}

Request request(std::string arguments) {
  Request request;
  request.code = "x";
  request.arguments = std::move(arguments);
  return request;
}

TEST(PlanCheck, TakesWhatAGuestTakes) {
  Job job = echo();
  job.files = {{"a/b", "x"}, {"a/c", std::string(1000, '\0')}};
  job.steps.resize(16, job.steps.front());
  job.limits.wall = 3s;
  EXPECT_THAT(flaw_of_plan(job, {}).text, IsEmpty());
}

TEST(PlanCheck, BlamesTheLanguageForWhatTheRequestDidNotBring) {
  const std::vector<Job> bad = {Job(), echo({std::string(200'000, 'x')}), echo(std::vector<std::string>(5000, "x")),
                                echo({std::string("a\0b", 3)}), echo({"\xff"})};
  for (const Job& job : bad) {
    const auto flaw = flaw_of_plan(job, request("short"));
    EXPECT_THAT(flaw.text, Not(IsEmpty()));
    EXPECT_FALSE(flaw.of_request) << flaw.text;
  }
}

TEST(PlanCheck, BlamesTheRequestForArgumentsThatNoJobCanCarry) {
  EXPECT_TRUE(flaw_of_plan(echo({std::string(200'000, 'x')}), request(std::string(200'000, 'x'))).of_request);
  EXPECT_TRUE(flaw_of_plan(echo(std::vector<std::string>(5000, "x")), request(std::string(10'000, 'x'))).of_request);
  EXPECT_TRUE(flaw_of_plan(echo({std::string("a\0b", 3)}), request(std::string("a\0b", 3))).of_request);
}

TEST(PlanCheck, CountsFilesAndInputTogether) {
  Job job = echo();
  job.files = {{"a", std::string(9u << 20, 'x')}};
  EXPECT_THAT(flaw_of_plan(job, {}).text, IsEmpty());
  job.input = std::string(8u << 20, 'x');
  EXPECT_THAT(flaw_of_plan(job, {}).text, HasSubstr("at most 16777216 are accepted"));
}

TEST(PlanCheck, TellsOfFilesThatCannotStandTogetherAsThePlansOwn) {
  Job job = echo();
  job.files = {{"a", ""}, {"a/b", ""}};
  const auto flaw = flaw_of_plan(job, {});
  EXPECT_THAT(flaw.text, HasSubstr("'a' stands where 'a/b' needs a directory"));
  EXPECT_FALSE(flaw.of_request);
}

TEST(PlanCheck, AReplyIsTextAndNoLongerThanOutputCanMakeIt) {
  EXPECT_THAT(flaw_of_reply("\xc3\xa4", 1000), IsEmpty());
  EXPECT_THAT(flaw_of_reply(std::string(1'000'000, 'x'), 1000), IsEmpty());
  EXPECT_THAT(flaw_of_reply(std::string(2'000'000, 'x'), 1000), HasSubstr("at most 1054576"));
  EXPECT_THAT(flaw_of_reply("ab\xc3", 1000), HasSubstr("at byte 2"));
}

TEST(PlanCheck, NamesAndToolsAreWhatAClientAndAGuestCanWrite) {
  EXPECT_THAT(flaw_of_language({"c++", "c_x-1.2#"}, {"g++", "python3"}), IsEmpty());
  for (const char* name : {"", "C", "a b", "a\n", "\xff", "a,b"})
    EXPECT_THAT(flaw_of_language({"ok", name}, {}), Not(IsEmpty())) << name;
  EXPECT_THAT(flaw_of_language({std::string(65, 'a')}, {}), Not(IsEmpty()));
  EXPECT_THAT(flaw_of_language(std::vector<std::string>(33, "a"), {}), Not(IsEmpty()));
  for (const char* tool : {"", "a b", "\xff", "a\n"}) EXPECT_THAT(flaw_of_language({"ok"}, {tool}), Not(IsEmpty()));
  EXPECT_THAT(flaw_of_language({"ok"}, std::vector<std::string>(65, "a")), Not(IsEmpty()));
  EXPECT_LT(flaw_of_language({std::string(100'000'000, 'x')}, {}).size(), 300u);
}

TEST(PlanCheck, WhatALanguageTellsOfItselfIsBoundedAndCanBeShown) {
  const LanguageDetails good{"prog.c",        {"-O2"},      {"/*", "*/"}, "a\nb\n", {{"debian", {"gcc"}}},
                             "odd: \xc3\xa4", "/etc/x.yaml"};
  EXPECT_THAT(flaw_of_details(good), IsEmpty());
  EXPECT_THAT(flaw_of_details({}), IsEmpty());
  for (const auto& bad : {std::string("\xff"), std::string("a\nb"), std::string(100'000, 'x')}) {
    for (const auto fact : {&LanguageDetails::file, &LanguageDetails::note, &LanguageDetails::origin}) {
      LanguageDetails details = good;
      details.*fact = bad;
      EXPECT_THAT(flaw_of_details(details), Not(IsEmpty()));
      EXPECT_LT(flaw_of_details(details).size(), 300u);
    }
    LanguageDetails marks = good, options = good, packages = good;
    marks.marks.end = bad;
    options.options.push_back(bad);
    packages.packages["fedora"] = {bad};
    for (const auto& details : {marks, options, packages}) EXPECT_THAT(flaw_of_details(details), Not(IsEmpty()));
  }
  LanguageDetails many = good;
  many.options.assign(257, "-x");
  EXPECT_THAT(flaw_of_details(many), Not(IsEmpty()));
  many = good;
  many.stdin_program = "\xff";
  EXPECT_THAT(flaw_of_details(many), Not(IsEmpty()));
}

}  // namespace
}  // namespace pbotvm::service

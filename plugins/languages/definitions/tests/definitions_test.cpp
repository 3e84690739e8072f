// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>

#include "../../tests/local_runner.h"
#include "defined_language.h"
#include "definition.h"
#include "pbotvm/reply_text.h"

namespace pbotvm::definitions {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::reply_to;
using ::testing::StartsWith;
using testing::TemporaryDirectory;

constexpr const char* smallest = "name: x\nfile: prog.x\nrun: [cat, '{file}']\nhello: h\n";

std::vector<Definition> directories(const std::vector<std::filesystem::path>& paths) {
  DefinitionFiles files;
  return read_directories(files, paths);
}

Definition parsed(const std::string& text) {
  return read_definition(Settings::parse(text, "x.yaml"));
}

std::string complaint(const std::string& text) {
  try {
    parsed(text);
    return "none";
  } catch (const ConfigurationError& error) {
    return error.what();
  }
}

// The languages that come with the project, by name.
DefinedLanguage shipped(const std::string& name) {
  for (const Definition& definition : directories({DEFINITIONS}))
    if (definition.name == name) return DefinedLanguage(definition);
  throw std::runtime_error("no " + name);
}

void write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file) << text;
}

TEST(Definition, SmallestOne) {
  const Definition definition = parsed(smallest);
  EXPECT_EQ(definition.name, "x");
  ASSERT_EQ(definition.steps.size(), 1u);
  EXPECT_EQ(definition.steps[0].label, "run");
  EXPECT_TRUE(definition.steps[0].reads_input);
  EXPECT_EQ(definition.steps[0].when, When::always);
  EXPECT_THAT(definition.tools, ElementsAre("cat"));
}

TEST(Definition, StepsInFull) {
  const Definition definition = parsed(
      "name: x\nfile: a.x\nhello: h\nenvironment: {A: '1'}\nsteps:\n"
      "- {label: check, argv: [true]}\n- {label: build, argv: [xc, '-o{file}'], environment: {B: '2'}, when: always}\n"
      "- {label: run, argv: [./a, '{arguments}']}\n");
  ASSERT_EQ(definition.steps.size(), 3u);
  EXPECT_EQ(definition.steps[0].when, When::always);
  EXPECT_EQ(definition.steps[1].when, When::always);
  EXPECT_EQ(definition.steps[2].when, When::after_success);
  EXPECT_FALSE(definition.steps[1].reads_input);
  EXPECT_TRUE(definition.steps[2].reads_input);
  EXPECT_THAT(definition.steps[1].environment, ElementsAre(std::pair("A", "1"), std::pair("B", "2")));
  EXPECT_THAT(definition.tools, ElementsAre("true", "xc"));
}

TEST(Definition, MistakesAreToldWithTheirPlace) {
  EXPECT_THAT(complaint(std::string(smallest) + "alias: [y]\n"), StartsWith("x.yaml:5:1: error: "));
  EXPECT_THAT(complaint(std::string(smallest) + "alias: [y]\n"), HasSubstr("aliases"));
  EXPECT_THAT(complaint("name: X\nfile: prog.x\nrun: [cat]\nhello: h\n"),
              StartsWith("x.yaml:1:7: error: 'X' is no name"));
  EXPECT_THAT(complaint("name: x\nfile: ../prog\nrun: [cat]\nhello: h\n"), StartsWith("x.yaml:2:7: error: "));
  EXPECT_THAT(complaint("name: x\nfile: p\nrun: cat {file}\nhello: h\n"),
              StartsWith("x.yaml:3:6: error: a command is a list"));
  EXPECT_THAT(complaint("name: x\nfile: p\nrun: [cat, '{fiel}']\nhello: h\n"), HasSubstr("'{fiel}' is no placeholder"));
  EXPECT_THAT(complaint("name: x\nfile: p\nrun: [cat, 'a{options}']\nhello: h\n"), HasSubstr("a word of its own"));
  EXPECT_THAT(complaint("name: x\nfile: p\nhello: h\n"), HasSubstr("'run' is missing"));
  EXPECT_THAT(complaint("name: x\nfile: p\nrun: [cat]\n"), HasSubstr("'hello' is missing"));
  EXPECT_THAT(complaint("name: x\nfile: p\nrun: [cat]\nsteps: []\nhello: h\n"), HasSubstr("'steps' is there already"));
  EXPECT_THAT(complaint(std::string(smallest) + "options: [-w]\n"), HasSubstr("{options}"));
  EXPECT_THAT(complaint(std::string(smallest) + "environment: {A: [1]}\n"), StartsWith("x.yaml:5:"));
}

TEST(Definition, WhatNoHostCouldTakeIsToldWithItsPlace) {
  const std::string before = smallest;
  EXPECT_THAT(complaint(before + "tools: ['']\n"), StartsWith("x.yaml:5:9: error: accepted is the name of a program"));
  EXPECT_THAT(complaint(before + "tools: [cat, \"a\\nb\"]\n"), StartsWith("x.yaml:5:14: error: "));
  EXPECT_THAT(complaint("name: x\nfile: p\nrun: [cat]\nhello: ' '\n"), StartsWith("x.yaml:4:8: error: a hello"));
  EXPECT_THAT(complaint(before + "comment: {begin: \"a\\nb\", end: x}\n"), StartsWith("x.yaml:5:18: error: "));
  EXPECT_THAT(complaint("name: x\nfile: p\nhello: h\nsteps: [{label: " + std::string(65, 'l') + ", argv: [cat]}]\n"),
              StartsWith("x.yaml:4:17: error: accepted is a label"));
  std::string aliases = "aliases: [a0";
  for (int i = 1; i <= 31; ++i) aliases += ", a" + std::to_string(i);
  EXPECT_THAT(complaint(before + aliases + "]\n"), HasSubstr("at most 31 aliases"));
}

TEST(Definition, PackagesAreDebiansOrByDistribution) {
  const Definition plain = parsed(std::string(smallest) + "packages: [a, b]\n");
  EXPECT_THAT(plain.packages.at("debian"), ElementsAre("a", "b"));
  const Definition mapped = parsed(std::string(smallest) + "packages: {debian: [a], fedora: A-libs, opensuse: []}\n");
  EXPECT_THAT(mapped.packages.at("fedora"), ElementsAre("A-libs"));
  EXPECT_TRUE(mapped.packages.at("opensuse").empty());
  EXPECT_THAT(complaint(std::string(smallest) + "packages: {Debian 12: [a]}\n"),
              StartsWith("x.yaml:5:12: error: 'Debian 12' is no distribution"));
  EXPECT_THAT(complaint(std::string(smallest) + "packages: [a, '-o x']\n"),
              HasSubstr("'-o x' is no name of a package"));
}

TEST(Definition, MistakesInOptionsWrapAndNoteAreToldWithTheirPlace) {
  const std::string taking = "name: x\nfile: p\nrun: [cat, '{options}', '{file}']\nhello: h\n";
  EXPECT_THAT(complaint(taking + "allow: [-w, w]\n"), StartsWith("x.yaml:5:13: error: 'w' is no rule for options"));
  EXPECT_THAT(complaint(taking + "options: [w]\n"), StartsWith("x.yaml:5:10: error: options begin with '-'"));
  EXPECT_THAT(complaint(std::string(smallest) + "allow: [-w]\n"), StartsWith("x.yaml:5:1: error: no command has"));
  EXPECT_THAT(complaint(std::string(smallest) + "wrap: {before: a}\n"),
              StartsWith("x.yaml:5:7: error: the key 'unless'"));
  EXPECT_THAT(complaint(std::string(smallest) + "wrap: {unless: a, behind: b}\n"), StartsWith("x.yaml:5:19: error: "));
  EXPECT_THAT(complaint(std::string(smallest) + "note: \"a\\nb\"\n"),
              StartsWith("x.yaml:5:7: error: a note is one line"));
}

TEST(Directories, AFileCountsAsOneThatHoldsNothingElse) {
  TemporaryDirectory directory;
  write(directory.path() / "x.yaml", smallest);
  write(directory.path() / "y.yaml", ": broken [");
  const std::vector<Definition> all = directories({directory.path() / "x.yaml"});
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].name, "x");
}

TEST(Directories, OneThatReplacesAnotherSaysSo) {
  TemporaryDirectory first, second;
  write(first.path() / "x.yaml", smallest);
  write(second.path() / "mine.yaml", smallest);
  const std::vector<Definition> all = directories({first.path(), second.path()});
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].origin,
            (second.path() / "mine.yaml").string() + ", instead of " + (first.path() / "x.yaml").string());
  EXPECT_EQ(directories({first.path()}).front().origin, (first.path() / "x.yaml").string());
}

TEST(Directories, LaterOnesWin) {
  TemporaryDirectory first, second;
  write(first.path() / "x.yaml", "name: x\naliases: [z, y]\nfile: first\nrun: [cat]\nhello: h\n");
  write(first.path() / "w.yaml", "name: w\naliases: [v]\nfile: first\nrun: [cat]\nhello: h\n");
  write(first.path() / "notes.txt", ": no yaml [");
  write(second.path() / "a.yaml", "name: x\nfile: second\nrun: [cat]\nhello: h\n");
  write(second.path() / "b.yaml", "name: v\nfile: second\nrun: [cat]\nhello: h\n");
  const std::vector<Definition> all = directories({first.path(), second.path()});
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].name, "w");
  EXPECT_TRUE(all[0].aliases.empty());
  EXPECT_EQ(all[1].name, "x");
  EXPECT_EQ(all[1].file, "second");
  EXPECT_THAT(all[1].aliases, ElementsAre("z", "y")) << "who names none keeps those of the one before";
  EXPECT_EQ(all[2].name, "v");
}

TEST(Directories, OneThatReplacesAnotherLeavesItsDirectoryTheAliasesThatItNames) {
  TemporaryDirectory first, second;
  write(first.path() / "x.yaml", "name: x\naliases: [z, y]\nfile: first\nrun: [cat]\nhello: h\n");
  write(second.path() / "a.yaml", "name: x\nfile: second\nrun: [cat]\nhello: h\n");
  write(second.path() / "b.yaml", "name: w\naliases: [y]\nfile: second\nrun: [cat]\nhello: h\n");
  const std::vector<Definition> all = directories({first.path(), second.path()});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_THAT(all[0].aliases, ElementsAre("z"));
  EXPECT_THAT(all[1].aliases, ElementsAre("y"));
}

TEST(Directories, OneNameTwiceInADirectoryIsAMistake) {
  TemporaryDirectory directory;
  write(directory.path() / "a.yaml", smallest);
  write(directory.path() / "b.yaml", "name: y\naliases: [x]\nfile: p\nrun: [cat]\nhello: h\n");
  try {
    directories({directory.path()});
    FAIL();
  } catch (const ConfigurationError& error) {
    EXPECT_THAT(error.what(), HasSubstr("b.yaml:2:11: error: the name 'x' is taken already, at "));
    EXPECT_THAT(error.what(), HasSubstr("a.yaml:1:7"));
  }
}

TEST(Directories, AnAliasDoesNotTakeTheNameOfAnotherLanguage) {
  TemporaryDirectory first, second;
  write(first.path() / "x.yaml", smallest);
  write(second.path() / "y.yaml", "name: y\naliases: [x]\nfile: p\nrun: [cat]\nhello: h\n");
  try {
    directories({first.path(), second.path()});
    FAIL();
  } catch (const ConfigurationError& error) {
    EXPECT_THAT(error.what(), HasSubstr("y.yaml: error: the alias 'x' is the name of the language of "));
  }
}

TEST(Directories, AFifoIsNotWaitedFor) {
  TemporaryDirectory directory;
  ASSERT_EQ(::mkfifo((directory.path() / "x.yaml").c_str(), 0600), 0);
  try {
    directories({directory.path()});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("x.yaml is no regular file"));
  }
}

TEST(Directories, MissingOneIsAnError) {
  EXPECT_THROW(directories({"/nonexistent/languages"}), Error);
}

TEST(DefinedLanguage, ShippedLanguagesSayHelloAndReadTheirInput) {
  for (const char* name : {"python3", "perl"}) {
    const DefinedLanguage language = shipped(name);
    EXPECT_EQ(reply_to(language, language.hello()), "hello") << name;
    for (const Definition& definition : directories({DEFINITIONS})) {
      if (definition.name != name) continue;
      Request request;
      request.code = definition.stdin_program;
      request.input = "a\nb";
      EXPECT_EQ(reply_to(language, request), "a\nb") << name;
    }
  }
}

TEST(DefinedLanguage, ArgumentsOptionsAndInfo) {
  EXPECT_EQ(reply_to(shipped("python3"), R"(-args "'a b' c" import sys; print(sys.argv[1:]))"), "['a b', 'c']");
  EXPECT_EQ(reply_to(shipped("python3"), "-info"), "python3 cmdline: python3 prog.py3");
  EXPECT_EQ(reply_to(shipped("perl"), "-info"), "perl cmdline: perl -w prog.pl");
  EXPECT_EQ(reply_to(shipped("perl"), "-Mstrict -info"), "perl cmdline: perl -Mstrict prog.pl");
  EXPECT_EQ(reply_to(shipped("python3"), ""), usage_text());
  Request request;
  request.language = "python";
  request.code = "-info";
  EXPECT_EQ(reply_to(shipped("python3"), request), "python cmdline: python3 prog.py3");
  EXPECT_EQ(reply_to(DefinedLanguage(parsed(smallest)), "-args y x"), "Language 'x' takes no arguments.");
  EXPECT_EQ(reply_to(DefinedLanguage(parsed(smallest)), "-w x"), "-w x");
}

// What a job's source is for the code of a request.
std::string source_of(const std::string& definition, const std::string& code) {
  Request request;
  request.language = "x";
  request.code = code;
  const Plan plan = DefinedLanguage(parsed(definition)).plan(request);
  return std::get<Job>(plan).files.front().content;
}

TEST(DefinedLanguage, ALineBecomesAWholeProgramUnlessItIsOne) {
  const std::string definition =
      std::string(smallest) + "wrap: {unless: [main, MAIN], before: 'main() { ', after: '}'}\n";
  EXPECT_EQ(source_of(definition, "say hi"), "main() { say hi\n}\n");
  EXPECT_EQ(source_of(definition, "main() {}"), "main() {}\n");
  EXPECT_EQ(source_of(definition, "MAIN"), "MAIN\n");
  const std::string twice = std::string(smallest) + "wrap: [{unless: a, before: a}, {unless: [b], before: b}]\n";
  EXPECT_EQ(source_of(twice, "x"), "bax\n");
  EXPECT_EQ(source_of(twice, "b"), "ab\n");
}

TEST(DefinedLanguage, ALastLineIsAppendedToEveryProgram) {
  EXPECT_EQ(source_of(std::string(smallest) + "append: quit\n", "1 + 1"), "1 + 1\nquit\n");
}

TEST(DefinedLanguage, OnlyAllowedOptionsReachTheTool) {
  const std::string taking = "name: x\nfile: p\nrun: [cat, '{options}', '{file}']\nhello: h\noptions: [-n]\n";
  EXPECT_EQ(reply_to(DefinedLanguage(parsed(taking)), "-n one"), "     1\tone");
  EXPECT_EQ(reply_to(DefinedLanguage(parsed(taking)), "-A one"),
            "Option '-A' is not allowed for language 'x'; allowed are -n");
  EXPECT_EQ(reply_to(DefinedLanguage(parsed(taking + "allow: [-A]\n")), "-A one"), "one$");
  EXPECT_EQ(reply_to(DefinedLanguage(parsed(taking + "allow: ['-A *']\n")), "-info -A b one"), "x cmdline: cat -A b p");
}

TEST(DefinedLanguage, TellsItsFacts) {
  DefinedLanguage language(parsed(std::string(smallest) +
                                  "packages: {debian: [a]}\nstdin_program: s\nnote: n\ncomment: {begin: b, end: e}\n"));
  const auto* facts = static_cast<const LanguageFacts*>(language.extension(LanguageFacts::identifier));
  ASSERT_NE(facts, nullptr);
  EXPECT_EQ(facts->file(), "prog.x");
  EXPECT_THAT(facts->packages("debian"), ElementsAre("a"));
  EXPECT_TRUE(facts->packages("fedora").empty());
  EXPECT_EQ(facts->stdin_program(), "s");
  EXPECT_EQ(facts->note(), "n");
  EXPECT_EQ(facts->comment_marks().begin, "b");
  EXPECT_EQ(language.extension("pbotvm.language.facts/0"), nullptr);
}

TEST(DefinedLanguage, TellsItsOptions) {
  const auto options_of = [](DefinedLanguage& language) {
    return static_cast<const LanguageOptions*>(language.extension(LanguageOptions::identifier));
  };
  DefinedLanguage taking(
      parsed("name: x\nfile: p\nrun: [cat, '{options}', '{file}']\nhello: h\noptions: [-n]\nallow: ['-A *']\n"));
  EXPECT_TRUE(options_of(taking)->takes_options());
  EXPECT_THAT(options_of(taking)->option_rules(), ::testing::UnorderedElementsAre("-n", "-A *"));
  DefinedLanguage without(parsed(smallest));
  EXPECT_FALSE(options_of(without)->takes_options());
}

// What the guest image lacks is a definition that says so.
TEST(ShippedDefinitions, HaveAStdinProgramAndPackagesOrANote) {
  const std::vector<Definition> all = directories({DEFINITIONS});
  EXPECT_GE(all.size(), 49u);
  for (const Definition& definition : all) {
    EXPECT_FALSE(definition.stdin_program.empty()) << definition.name;
    const bool packaged = definition.packages.contains("debian") && !definition.packages.at("debian").empty();
    EXPECT_TRUE(packaged || definition.note.starts_with("Debian 12") || definition.name == "qbasic") << definition.name;
  }
}

TEST(ShippedDefinitions, CanAllBePastedAsComments) {
  for (const Definition& definition : directories({DEFINITIONS}))
    EXPECT_FALSE(definition.comment_begin.empty()) << definition.name;
}

TEST(ShippedDefinitions, AreFoundByWhatPeopleType) {
  std::map<std::string, std::string> names;
  for (const Definition& definition : directories({DEFINITIONS}))
    for (const std::string& alias : definition.aliases) names[alias] = definition.name;
  const std::map<std::string, std::string> typed = {
      {"js", "javascript"}, {"node", "javascript"}, {"ts", "typescript"},   {"py", "python3"},     {"rb", "ruby"},
      {"pl", "perl"},       {"rs", "rust"},         {"golang", "go"},       {"hs", "haskell"},     {"kt", "kotlin"},
      {"ml", "ocaml"},      {"jl", "julia"},        {"pwsh", "powershell"}, {"ps1", "powershell"}, {"f90", "fortran"},
      {"pas", "pascal"},    {"sqlite3", "sqlite"},  {"nasm", "asm"},        {"guile", "scheme"},   {"lisp", "clisp"}};
  for (const auto& [alias, name] : typed) EXPECT_EQ(names[alias], name) << alias;
}

TEST(DefinedLanguage, FailureBeforeTheProgramIsShownAloneAndWarningsFirst) {
  const DefinedLanguage language(
      parsed("name: x\nfile: p.sh\ncompile: [sh, '-c', 'echo note >&2; sh -n {file}']\n"
             "run: [sh, '{file}']\nhello: h\n"));
  EXPECT_EQ(reply_to(language, "echo hi; exit 2"), "[note]\nhi\n [Exit 2]");
  const std::string failed = reply_to(language, "if; echo hi");
  EXPECT_THAT(failed, StartsWith("note\np.sh: "));
  EXPECT_THAT(failed, ::testing::Not(HasSubstr("[")));
}

}  // namespace
}  // namespace pbotvm::definitions

// SPDX-License-Identifier: MIT
#include "service/catalogue_changes.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "pbotvm/language_options.h"
#include "pbotvm/settings.h"

namespace pbotvm::service {
namespace {

class FakeLanguage : public Language, public LanguageFacts, public LanguageOptions {
 public:
  FakeLanguage(std::string name, std::string command, std::string origin = {}, std::vector<std::string> rules = {})
      : name_(std::move(name)), command_(std::move(command)), origin_(std::move(origin)), rules_(std::move(rules)) {}
  std::string name() const override { return name_; }
  std::vector<std::string> aliases() const override { return {}; }
  std::vector<std::string> tools() const override { return {}; }
  std::string hello() const override { return "hello"; }
  Plan plan(const Request&) const override {
    if (command_.empty()) throw std::runtime_error("no plan");
    Job job;
    job.steps.push_back({"run", {command_}, {}, false, When::always});
    return job;
  }
  std::string reply(const Request&, const Result&) const override { return {}; }
  void* extension(std::string_view asked) override {
    if (asked == LanguageOptions::identifier) return static_cast<LanguageOptions*>(this);
    return asked == LanguageFacts::identifier ? static_cast<LanguageFacts*>(this) : nullptr;
  }

  std::string file() const override { return "prog.x"; }
  std::vector<std::string> default_options() const override { return {}; }
  CommentMarks comment_marks() const override { return {}; }
  std::vector<std::string> packages(std::string_view) const override { return {}; }
  std::string stdin_program() const override { return {}; }
  std::string note() const override { return {}; }
  std::string origin() const override { return origin_; }
  bool takes_options() const override { return true; }
  std::vector<std::string> option_rules() const override { return rules_; }

 private:
  std::string name_, command_, origin_;
  std::vector<std::string> rules_;
};

Catalogue catalogue_of(std::vector<FakeLanguage> languages) {
  std::vector<CatalogueEntry> entries;
  for (auto& language : languages) entries.push_back({"fake", std::make_unique<FakeLanguage>(std::move(language))});
  return Catalogue(std::move(entries));
}

std::string digest(FakeLanguage language, std::string alias = {}) {
  plugin::PatientGuard guard;
  auto entry = catalogue_of({std::move(language)}).entries().front();
  if (!alias.empty()) entry.names.push_back(alias);
  return digest_of(entry, guard);
}

TEST(CatalogueChangesTest, ADigestIsOfWhatALanguageDoesWhereverItWasRead) {
  const auto one = digest({"a", "run"});
  EXPECT_EQ(one.size(), 64u);
  EXPECT_EQ(digest({"a", "run", "elsewhere"}, "another"), one);
  EXPECT_NE(digest({"a", "rum"}), one);
  EXPECT_NE(digest({"a", "run", "", {"-x"}}), one);
  EXPECT_NE(digest({"b", "run"}), one);
}

TEST(CatalogueChangesTest, ALanguageThatWasKeptIsNotAsked) {
  plugin::PatientGuard guard;
  const auto before = catalogue_of({{"a", ""}});  // its plan() throws
  EXPECT_EQ(changes_between(before, Catalogue(before.entries()), guard).text(), "no change is seen");
  EXPECT_EQ(changes_between(before, catalogue_of({{"a", ""}}), guard).text(), "changed a");
}

TEST(CatalogueChangesTest, TellsWhatWasAddedRemovedAndChanged) {
  plugin::PatientGuard guard;
  const auto before = catalogue_of({{"a", "run"}, {"b", "run"}, {"c", "run"}, {"d", "run"}});
  const auto after = catalogue_of({{"a", "run"}, {"b", "run differently"}, {"c", "run", "elsewhere"}, {"e", "run"}});
  EXPECT_EQ(changes_between(before, after, guard).text(), "added e; removed d; changed b, c");
  EXPECT_EQ(changes_between(before, before, guard).text(), "no change is seen");
}

TEST(CatalogueChangesTest, SeesEveryRuleForOptions) {
  plugin::PatientGuard guard;
  std::vector<std::string> rules;
  for (int i = 0; i < 100; ++i) rules.push_back("-f" + std::to_string(i));
  const auto before = catalogue_of({{"a", "run", "", rules}});
  rules.back() = "-g";
  EXPECT_EQ(changes_between(before, catalogue_of({{"a", "run", "", rules}}), guard).text(), "changed a");
  EXPECT_EQ(changes_between(before, before, guard).text(), "no change is seen");
}

TEST(CatalogueChangesTest, KnowsWhichOptionsHaveAValue) {
  const auto catalogue = catalogue_of({{"a", "run", "", {"-w", "-o *", "!-o x", "-I *"}}});
  EXPECT_EQ(catalogue.find("a")->details.options_with_value, (std::vector<std::string>{"-I", "-o"}));
  EXPECT_THROW(catalogue_of({{"a", "run", "", {"no rule"}}}), Error);
  EXPECT_THROW(catalogue_of({{"a", "run", "/x/a.yaml", std::vector<std::string>(20'000, "-w")}}), ConfigurationError);
}

TEST(CatalogueChangesTest, TakesALanguageThatFailsForChanged) {
  plugin::PatientGuard guard;
  EXPECT_EQ(changes_between(catalogue_of({{"a", "run"}}), catalogue_of({{"a", ""}}), guard).text(), "changed a");
}

TEST(CatalogueChangesTest, ANameThatAPluginHasIsAMistakeOfTheFileThatTakesIt) {
  try {
    catalogue_of({{"a", "run"}, {"a", "run", "/x/a.yaml, instead of /y/a.yaml"}});
    FAIL() << "nothing was thrown";
  } catch (const ConfigurationError& error) {
    EXPECT_EQ(std::string(error.what()),
              "/x/a.yaml: error: the name 'a' is that of a language of the plug-in language-fake.so; take another one");
  }
}

TEST(CatalogueChangesTest, NamesTheLanguagesThatStandInAnothersPlace) {
  const auto catalogue = catalogue_of({{"a", "run", "/x/a.yaml"}, {"b", "run", "/x/b.yaml, instead of /y/b.yaml"}});
  EXPECT_EQ(overrides_in(catalogue), std::vector<std::string>{"language b: /x/b.yaml, instead of /y/b.yaml"});
  const CatalogueChanges others{{"a"}, {}, {}}, those{{}, {}, {"b"}};
  EXPECT_TRUE(overrides_in(catalogue, &others).empty());
  EXPECT_EQ(overrides_in(catalogue, &those).size(), 1u);
}

}  // namespace
}  // namespace pbotvm::service

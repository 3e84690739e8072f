// SPDX-License-Identifier: MIT
#include "service/catalogue.h"

#include <gtest/gtest.h>

#include "pbotvm/error.h"

namespace pbotvm::service {
namespace {

class FakeLanguage : public Language {
 public:
  FakeLanguage(std::string name, std::vector<std::string> aliases, std::vector<std::string> tools)
      : name_(std::move(name)), aliases_(std::move(aliases)), tools_(std::move(tools)) {}
  std::string name() const override { return name_; }
  std::vector<std::string> aliases() const override { return aliases_; }
  std::vector<std::string> tools() const override { return tools_; }
  std::string hello() const override { return {}; }
  Plan plan(const Request&) const override { return ImmediateReply{}; }
  std::string reply(const Request&, const Result&) const override { return {}; }

 private:
  std::string name_;
  std::vector<std::string> aliases_, tools_;
};

std::vector<CatalogueEntry> two_languages() {
  std::vector<CatalogueEntry> entries;
  entries.push_back(
      {"shell", std::make_unique<FakeLanguage>("sh", std::vector<std::string>{}, std::vector<std::string>{"sh"})});
  entries.push_back({"definitions", std::make_unique<FakeLanguage>("python3", std::vector<std::string>{"python"},
                                                                   std::vector<std::string>{"python3", "sh"})});
  return entries;
}

TEST(CatalogueTest, FindsALanguageByEachOfItsNames) {
  const Catalogue catalogue(two_languages());
  EXPECT_EQ(catalogue.find("python"), catalogue.find("python3"));
  EXPECT_EQ(catalogue.find("python")->plugin, "definitions");
  EXPECT_EQ(catalogue.find("ruby"), nullptr);
  EXPECT_EQ(catalogue.tools(), (std::vector<std::string>{"python3", "sh"}));
}

TEST(CatalogueTest, ListsTheLanguagesForAnUnknownOne) {
  const Catalogue catalogue(two_languages());
  EXPECT_EQ(catalogue.unknown_language_text("x"),
            "Language 'x' is not supported.\nSupported languages are: python3, sh");
  EXPECT_EQ(catalogue.unknown_language_text("a\nb"),
            "Language 'a\\x0ab' is not supported.\nSupported languages are: python3, sh");
}

CatalogueEntry entry_with(LanguageDetails details) {
  CatalogueEntry entry{"definitions", nullptr};
  entry.details = std::move(details);
  return entry;
}

TEST(CatalogueTest, TellsWhichPackageBringsAMissingTool) {
  LanguageDetails details;
  details.packages = {{"debian", {"ruby"}}, {"fedora", {"ruby-core"}}};
  EXPECT_EQ(
      Catalogue::missing_tools_text(entry_with(details), "ruby", {"ruby"}, "main"),
      "Language 'ruby' needs ruby, which virtual machine 'main' does not have; package ruby of Debian brings it.");
  details.packages = {{"debian", {"ghc", "libc6-dev"}}};
  EXPECT_EQ(Catalogue::missing_tools_text(entry_with(details), "hs", {"ghc", "cc"}, "main"),
            "Language 'hs' needs ghc, cc, which virtual machine 'main' does not have; packages ghc, libc6-dev of "
            "Debian bring them.");
}

TEST(CatalogueTest, TellsTheNoteWhereDebianDoesNotPackageATool) {
  LanguageDetails details;
  details.note = "Get it from example.org.";
  EXPECT_EQ(Catalogue::missing_tools_text(entry_with(details), "x", {"xc"}, "main"),
            "Language 'x' needs xc, which virtual machine 'main' does not have. Get it from example.org.");
  details.packages = {{"fedora", {"xc"}}};
  EXPECT_EQ(Catalogue::missing_tools_text(entry_with(details), "x", {"xc"}, "main"),
            "Language 'x' needs xc, which virtual machine 'main' does not have; package xc of Fedora brings it. Get it "
            "from example.org.");
  EXPECT_EQ(Catalogue::missing_tools_text(entry_with({}), "x", {"xc"}, "main"),
            "Language 'x' needs xc, which virtual machine 'main' does not have; which package brings it is not known.");
}

TEST(CatalogueTest, RefusesTwoLanguagesOfOneName) {
  auto entries = two_languages();
  entries.push_back(
      {"rival", std::make_unique<FakeLanguage>("python", std::vector<std::string>{}, std::vector<std::string>{})});
  EXPECT_THROW(Catalogue catalogue(std::move(entries)), Error);
}

}  // namespace
}  // namespace pbotvm::service

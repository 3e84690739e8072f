// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "service/warm_up.h"

namespace pbotvm::service {
namespace {

class FakeLanguage : public Language {
 public:
  FakeLanguage(std::string name, std::vector<std::string> tools, std::size_t steps)
      : name_(std::move(name)), tools_(std::move(tools)), steps_(steps) {}
  std::string name() const override { return name_; }
  std::vector<std::string> aliases() const override { return {}; }
  std::vector<std::string> tools() const override { return tools_; }
  std::string hello() const override { return "hello"; }
  Plan plan(const Request&) const override {
    Job job;
    for (std::size_t i = 0; i < steps_; ++i) job.steps.push_back({"run", {name_}, {}, false, When::always});
    return job;
  }
  std::string reply(const Request&, const Result&) const override { return {}; }

 private:
  std::string name_;
  std::vector<std::string> tools_;
  std::size_t steps_;
};

std::vector<std::string> warmed_up(const std::string& usual) {
  std::vector<CatalogueEntry> entries;
  const auto add = [&](const char* name, std::vector<std::string> tools, std::size_t steps) {
    entries.push_back({"fake", std::make_unique<FakeLanguage>(name, std::move(tools), steps)});
  };
  add("c11", {"gcc", "ld"}, 2);
  add("c2x", {"ld", "gcc"}, 2);
  add("java", {"javac", "java"}, 2);
  add("sh", {"sh"}, 1);
  add("perl", {"perl"}, 1);
  config::Configuration configuration;
  configuration.language = usual;
  plugin::PatientGuard guard;
  std::vector<std::string> names;
  for (const auto& one : warm_up_jobs(configuration, Catalogue(std::move(entries)), guard)) {
    EXPECT_FALSE(one.tools.empty());
    names.push_back(one.job.language);
  }
  return names;
}

TEST(WarmUpTest, RunsTheUsualLanguageFirstAndThenOneForEachSetOfToolsTheShortestFirst) {
  EXPECT_EQ(warmed_up("c2x"), (std::vector<std::string>{"c2x", "sh", "perl", "java"}));
  EXPECT_EQ(warmed_up("perl"), (std::vector<std::string>{"perl", "sh", "c11", "java"}));
}

}  // namespace
}  // namespace pbotvm::service

// SPDX-License-Identifier: MIT

// A plug-in that was built against an older minor of the SDK goes on working: fixtures/abi-1.0 holds the headers of
// minor 0, and what is made with them.

#include <dlfcn.h>
#include <gmock/gmock.h>

#include "fixture_directory.h"
#include "fixtures/abi-1.0/sizes.h"
#include "plugin/registry.h"

namespace pbotvm::plugin {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class OlderMinor : public ScratchTest {
 protected:
  OlderMinor() : registry_({fixture("abi-1.0")}) {
    EXPECT_EQ(registry_.list().size(), 1u);
    EXPECT_EQ(registry_.list().at(0).reason, "version 1.0");
    languages_ = registry_.languages().at(0).factory.create({});
  }

  const Language& language() const { return *languages_.at(0); }

  std::string immediate(const std::string& code) const {
    Request request;
    request.code = code;
    return std::get<ImmediateReply>(language().plan(request)).text;
  }

  Registry registry_;
  std::vector<std::unique_ptr<Language>> languages_;
};

TEST_F(OlderMinor, IsLoadedAndSaysWhatItIs) {
  EXPECT_EQ(registry_.list().at(0).state, Entry::State::loaded);
  EXPECT_EQ(language().name(), "old");
  EXPECT_THAT(language().aliases(), ElementsAre("older"));
  EXPECT_EQ(languages_.at(0)->extension("pbotvm.language.facts/1"), nullptr);
}

TEST_F(OlderMinor, PlansAJobFromARequestOfToday) {
  Request request;
  request.language = "old";
  request.code = "-o errexit -args \"a 'b c'\" echo $1 -stdin x";
  const Job job = std::get<Job>(language().plan(request));
  ASSERT_EQ(job.files.size(), 1u);
  EXPECT_EQ(job.files[0].content, "echo $1\n");
  ASSERT_EQ(job.steps.size(), 1u);
  EXPECT_THAT(job.steps[0].argv, ElementsAre("sh", "prog.sh", "a", "b c"));
  EXPECT_THAT(job.steps[0].environment, ElementsAre(std::pair<std::string, std::string>("OPTIONS", "-o errexit")));
  EXPECT_EQ(job.input, "x\n");
}

TEST_F(OlderMinor, AnswersAtOnceWithTextsOfTheSdk) {
  EXPECT_THAT(immediate(""), HasSubstr("Usage"));
  EXPECT_THAT(immediate("-paste x"), HasSubstr("-paste"));
}

TEST_F(OlderMinor, RepliesToAResultOfToday) {
  Result result;
  result.steps.push_back({});
  result.steps.back().exit_code = 3;
  result.output.push_back({0, Stream::out, "printed\n"});
  EXPECT_EQ(language().reply({}, result), "printed\n [Exit 3]");
  result.steps.back().signal = 11;
  EXPECT_EQ(language().reply({}, result), "printed");
}

TEST_F(OlderMinor, ItsExceptionsAreTheHosts) {
  std::ofstream(scratch / "old.yaml") << "odl: 1\n";
  try {
    registry_.languages().at(0).factory.create({{scratch}});
    FAIL() << "nothing was thrown";
  } catch (const ConfigurationError& error) {
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'old'?"));
  }
}

TEST_F(OlderMinor, EveryPublicTypeHasTheSizeThatItHad) {
  void* library = ::dlopen((fixture("abi-1.0") / "language-old.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << ::dlerror();
  const auto sizes = reinterpret_cast<decltype(&sizes_of_public_types)>(::dlsym(library, "pbotvm_fixture_sizes"));
  ASSERT_NE(sizes, nullptr);
  const auto then = sizes(), now = sizes_of_public_types();
  ASSERT_EQ(then.size(), now.size());
  for (std::size_t i = 0; i < now.size(); ++i) EXPECT_EQ(then[i].second, now[i].second) << now[i].first;
}

TEST(OlderMinors, EveryFunctionThatTheyLinkToIsStillThere) {
  std::ifstream list(ABI_1_0_SYMBOLS);
  std::size_t count = 0;
  for (std::string symbol; std::getline(list, symbol);) {
    if (symbol.empty() || symbol.front() == '#') continue;
    ++count;
    EXPECT_NE(::dlsym(RTLD_DEFAULT, symbol.c_str()), nullptr) << symbol << " is gone from libpbotvm.so";
  }
  EXPECT_GT(count, 100u);
}

}  // namespace
}  // namespace pbotvm::plugin

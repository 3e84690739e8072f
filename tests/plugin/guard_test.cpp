// SPDX-License-Identifier: MIT
#include "plugin/guard.h"

#include <gtest/gtest.h>

#include "fixture_directory.h"
#include "pbotvm/settings.h"
#include "plugin/registry.h"

namespace pbotvm::plugin {
namespace {

class GuardTest : public ScratchTest {
 protected:
  Plan plan(const std::string& code) {
    Request request;
    request.code = code;
    return guarded({"language", "fixture-good", "plan"}, [&] { return language->plan(request); });
  }

  std::pair<ErrorCode, std::string> failure(const std::string& code) {
    try {
      plan(code);
    } catch (const Error& error) {
      return {error.code(), error.what()};
    }
    return {ErrorCode::internal, "nothing was thrown"};
  }

  Registry registry{{fixture("good")}};
  std::unique_ptr<Language> language = std::move(registry.languages().at(0).factory.create({}).at(0));
};

using Failure = std::pair<ErrorCode, std::string>;

TEST_F(GuardTest, ReturnsWhatTheCallReturns) {
  EXPECT_EQ(std::get<ImmediateReply>(plan("well")).text, "planned well");
}

TEST_F(GuardTest, NamesTheCallWhateverIsThrown) {
  EXPECT_EQ(failure("std"), Failure(ErrorCode::plugin, "language fixture-good: plan: no such thing"));
  EXPECT_EQ(failure("poco"), Failure(ErrorCode::plugin, "language fixture-good: plan: Not found: a thing"));
  EXPECT_EQ(failure("int"), Failure(ErrorCode::plugin,
                                    "language fixture-good: plan: it threw something that is not an exception class"));
}

TEST_F(GuardTest, KeepsTheCodeOfAnSdkError) {
  EXPECT_EQ(failure("sdk"), Failure(ErrorCode::timed_out, "language fixture-good: plan: waited; wait more"));
}

TEST_F(GuardTest, LeavesAConfigurationErrorAsItIs) {
  try {
    plan("configuration");
    FAIL() << "nothing was thrown";
  } catch (const ConfigurationError& error) {
    EXPECT_STREQ(error.what(), "x.yaml:1:2: error: found a thing");
  }
}

}  // namespace
}  // namespace pbotvm::plugin

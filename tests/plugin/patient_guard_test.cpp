// SPDX-License-Identifier: MIT
#include "plugin/patient_guard.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include "fixture_directory.h"
#include "pbotvm/settings.h"
#include "pbotvm/unique_fd.h"
#include "plugin/registry.h"

namespace pbotvm::plugin {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class PatientGuardTest : public ScratchTest {
 protected:
  PatientGuardTest() {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("pipe");
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
  }

  Plan plan(PatientGuard& guard, const std::string& code) {
    Request request;
    request.code = code;
    request.input = std::to_string(read_end.get());
    return guard.call({"language", "fixture-good", "plan"},
                      [language = language, request] { return language->plan(request); });
  }

  std::string failure(PatientGuard& guard, const std::string& code) {
    try {
      plan(guard, code);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::plugin);
      return error.what();
    }
    return "nothing was thrown";
  }

  /// Lets a hanging plan() go on and waits until it is done.
  void end_hang() {
    write_end.reset();
    while (witnessed().find("hang ended") == std::string::npos) std::this_thread::yield();
    std::weak_ptr<Language> watched = language;
    language.reset();
    while (!watched.expired()) std::this_thread::yield();
  }

  UniqueFd read_end, write_end;
  Registry registry{{fixture("good")}};
  std::shared_ptr<Language> language = std::move(registry.languages().at(0).factory.create({}).at(0));
};

TEST_F(PatientGuardTest, ReturnsWhatTheCallReturns) {
  PatientGuard guard;
  EXPECT_EQ(std::get<ImmediateReply>(plan(guard, "well")).text, "planned well");
  std::atomic<int> done{0};
  guard.call({"language", "c", "nothing"}, [&done] { ++done; });
  EXPECT_EQ(done, 1);
}

TEST_F(PatientGuardTest, NamesTheCallThatThrewAndDoesNotSuspendForIt) {
  PatientGuard guard;
  EXPECT_EQ(failure(guard, "std"), "language fixture-good: plan: no such thing");
  EXPECT_FALSE(guard.suspended("language", "fixture-good"));
  EXPECT_THROW(plan(guard, "configuration"), ConfigurationError);
  EXPECT_EQ(std::get<ImmediateReply>(plan(guard, "well")).text, "planned well");
}

TEST_F(PatientGuardTest, SuspendsAPluginThatDoesNotComeBack) {
  PatientGuard guard(2s);  // enough for a call that only has to wait for a processor
  EXPECT_EQ(failure(guard, "hang"),
            "language fixture-good: plan: did not come back within 2 s, so the plug-in is suspended; see pbotvm "
            "status; mend or remove the plug-in");
  EXPECT_TRUE(guard.suspended("language", "fixture-good"));
  EXPECT_FALSE(guard.suspended("language", "another"));
  EXPECT_EQ(failure(guard, "well"),
            "language fixture-good: plan: the plug-in is suspended because an earlier call did not come back; see "
            "pbotvm status; mend or remove the plug-in");
  EXPECT_EQ(guard.call({"language", "another", "plan"}, [] { return 5; }), 5);
  EXPECT_EQ(guard.left_behind(), 1u);
  end_hang();
  const auto end = std::chrono::steady_clock::now() + 30s;
  while (guard.left_behind() != 0 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_EQ(guard.left_behind(), 0u);
}

TEST_F(PatientGuardTest, TakesAPluginUpAgainWhoseCallCameBackLate) {
  PatientGuard guard(2s);  // enough for a call that only has to wait for a processor
  EXPECT_NE(failure(guard, "hang"), "nothing was thrown");
  ASSERT_EQ(guard.suspensions().size(), 1u);
  EXPECT_EQ(guard.suspensions()[0].plugin, "fixture-good");
  EXPECT_EQ(guard.suspensions()[0].calls_out, 1u);
  EXPECT_TRUE(guard.resume().empty()) << "it would be called beside the call that is under way";
  EXPECT_TRUE(guard.suspended("language", "fixture-good"));
  write_end.reset();
  const auto end = Clock::now() + 60s;
  while (guard.suspensions()[0].calls_out != 0 && Clock::now() < end) std::this_thread::yield();
  EXPECT_TRUE(guard.suspended("language", "fixture-good")) << "only when asked";
  const auto resumed = guard.resume();
  ASSERT_EQ(resumed.size(), 1u);
  EXPECT_EQ(resumed[0].kind + " " + resumed[0].plugin, "language fixture-good");
  EXPECT_EQ(std::get<ImmediateReply>(plan(guard, "well")).text, "planned well");
  EXPECT_TRUE(guard.suspensions().empty());
}

TEST_F(PatientGuardTest, MayGoBeforeTheCallThatItGaveUpOn) {
  {
    PatientGuard guard(20ms);
    EXPECT_NE(failure(guard, "hang"), "nothing was thrown");
  }
  EXPECT_EQ(witnessed().find("hang ended"), std::string::npos);
  end_hang();
}

TEST_F(PatientGuardTest, ServesManyCallersAtOnce) {
  PatientGuard guard;
  std::atomic<int> sum{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 20; ++caller)
    callers.emplace_back([&] {
      for (int i = 0; i < 100; ++i) sum += guard.call({"language", "c", "plan"}, [i] { return i; });
    });
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(sum, 20 * 4950);
}

TEST_F(PatientGuardTest, UsesItsThreadsAgain) {
  PatientGuard guard;
  const auto thread_of_call = [&] { return guard.call({"language", "c", "plan"}, [] { return ::gettid(); }); };
  std::set<::pid_t> threads;  // the system's numbers: a std::thread::id may be that of a thread that has ended
  for (int i = 0; i < 200; ++i) threads.insert(thread_of_call());
  // A call may find the thread of the one before it still on its way back, so some more are fair.
  EXPECT_LE(threads.size(), 20u);
}

}  // namespace
}  // namespace pbotvm::plugin

// SPDX-License-Identifier: MIT
#include "cli/control_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "../../plugins/languages/tests/local_runner.h"
#include "program.h"

namespace pbotvm::cli {
namespace {

using ::testing::AllOf;
using testing::Ended;
using ::testing::HasSubstr;
using testing::OneShotServer;
using testing::run_program;
using ::testing::StartsWith;
using testing::TemporaryDirectory;

constexpr const char* status_answer =
    R"({"ok":true,"version":"0.1.0","pid":7,"uptime_s":75.5,"address":"127.0.0.1:9000","requests":12,"machines":[)"
    R"({"name":"pbot-vm","state":"ready","since_s":12.04,"hypervisor":"QEMU 7.2.22, tcg, pid 1","transport":)"
    R"("virtio-serial","guest":"0.1.0","slots":4,"running":1,"waiting":0,"jobs":12,"faults":1,"reverts":1,"heartbeat_age_s":0.5,"problem":""},)"
    R"({"name":"b","state":"failed","since_s":3700,"hypervisor":"none","transport":"","guest":"","slots":0,"running":0,"waiting":0,"jobs":0,)"
    R"("faults":0,"reverts":0,"heartbeat_age_s":null,"problem":"no answer"}]})";

// Runs pbotvm against a host that gives this answer; `line` becomes what it was asked.
Ended control(const std::vector<std::string>& arguments, const std::string& answer, std::string& line) {
  const TemporaryDirectory state;
  OneShotServer server((state.path() / "control.sock").string(), OneShotServer::answering(line, answer + "\n"));
  return run_program("pbotvm", arguments, {"PBOTVM_STATE=" + state.path().string()});
}

TEST(Control, StatusIsATableForPeople) {
  std::string line;
  const Ended ended = control({"status"}, status_answer, line);
  EXPECT_EQ(line, "{\"command\":\"status\"}\n");
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(
      ended.out,
      "pbotvm-host 0.1.0 on 127.0.0.1:9000, process 7, up 1 min 15 s, 12 requests\n"
      "MACHINE  STATE   SINCE      HEARTBEAT  TRANSPORT      GUEST  RUNNING  WAITING  JOBS  FAULTS  REVERTS  "
      "HYPERVISOR\n"
      "pbot-vm  ready   12.0 s     0.5 s      virtio-serial  0.1.0  1/4      0        12    1       1        "
      "QEMU 7.2.22, tcg, pid 1\n"
      "b        failed  1 h 1 min  -          -              -      0/0      0        0     0       0        none\n"
      "b: no answer\n");
}

TEST(Control, StatusAsJsonIsTheAnswer) {
  std::string line;
  const Ended ended = control({"status", "--json"}, status_answer, line);
  EXPECT_EQ(nlohmann::json::parse(ended.out), nlohmann::json::parse(status_answer));
}

TEST(Control, RevertNamesItsMachine) {
  std::string line;
  const Ended ended = control({"revert", "pbot-vm"}, R"({"ok":true,"state":"ready","seconds":0.3})", line);
  EXPECT_EQ(nlohmann::json::parse(line), (nlohmann::json{{"command", "revert"}, {"machine", "pbot-vm"}}));
  EXPECT_EQ(ended.out, "pbot-vm: ready after 0.3 s\n");
}

TEST(Control, HealthShowsTheFigures) {
  std::string line;
  const Ended ended = control({"health", "pbot-vm"},
                              R"({"ok":true,"figures":"load 0.1","heartbeat_age_s":null,"round_trip_ms":0.42})", line);
  EXPECT_EQ(ended.out, "load 0.1\nlast heartbeat: unknown, round trip: 0.42 ms\n");
}

TEST(Control, RefusalIsToldAndIsStatus1) {
  std::string line;
  const Ended ended = control({"revert", "x"}, R"({"ok":false,"error":"unknown machine 'x'"})", line);
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.err, "pbotvm: unknown machine 'x'\n");
}

TEST(Control, NobodyThereIsOneLineAndStatus69) {
  const TemporaryDirectory state;
  const Ended ended = run_program("pbotvm", {"status"}, {"PBOTVM_STATE=" + state.path().string()});
  EXPECT_EQ(ended.status, 69);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("control.sock"), HasSubstr("start pbotvm-host")));
  EXPECT_EQ(ended.err.find('\n'), ended.err.size() - 1);
}

TEST(Control, StateMayBeDeeperThanASocketsPath) {
  const TemporaryDirectory directory;
  const std::filesystem::path deep = directory.path() / std::string(100, 'a') / std::string(100, 'b');
  std::filesystem::create_directories(deep);
  std::string line;
  const std::filesystem::path here = std::filesystem::current_path();
  std::filesystem::current_path(deep);
  {
    OneShotServer server("control.sock", OneShotServer::answering(line, "{\"ok\":true}\n"));
    std::filesystem::current_path(here);
    EXPECT_EQ(run_program("pbotvm", {"status", "--json"}, {"PBOTVM_STATE=" + deep.string()}).status, 0);
  }
}

TEST(Control, AnswerThatIsNoneIsAnError) {
  std::string line;
  EXPECT_EQ(control({"status"}, "hello", line).status, 76);
  EXPECT_EQ(control({"status"}, "[]", line).status, 76);
}

TEST(Command, WrongUsage) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {}, {"nosuch"}, {"status", "--xml"}, {"revert"}, {"health", "a", "b"}, {"--config"}}) {
    EXPECT_EQ(run_program("pbotvm", words, {}).status, 64) << ::testing::PrintToString(words);
  }
}

TEST(Command, HelpAndVersion) {
  EXPECT_THAT(run_program("pbotvm", {"--help"}, {}).out, StartsWith("usage: pbotvm run"));
  EXPECT_EQ(run_program("pbotvm", {"--version"}, {}).out, "pbotvm 0.1.0\n");
}

}  // namespace
}  // namespace pbotvm::cli

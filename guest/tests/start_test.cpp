// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "guest_process.h"

namespace pbotvm::guest_test {
namespace {

using testing::HasSubstr;

struct Started {
  int status;
  std::string errors;
};

Started start(std::vector<std::string> arguments) {
  const TemporaryDirectory directory;
  for (auto& argument : arguments) {
    if (const auto at = argument.find("DIR"); at != argument.npos) argument.replace(at, 3, directory.path().string());
  }
  arguments.insert(arguments.begin(), GUEST_PROGRAM);
  ChildProgram program(arguments, directory.path() / "errors");
  const int status = program.wait();
  return {status, program.errors()};
}

TEST(GuestStart, wrong_usage_is_64_and_says_what) {
  const std::vector<std::vector<std::string>> wrong = {{},
                                                       {"--nonsense"},
                                                       {"--serial"},
                                                       {"extra"},
                                                       {"--listen", "tcp:5"},
                                                       {"--listen", "unix:"},
                                                       {"--listen", "unix:DIR/x", "--allow-missing", "everything"},
                                                       {"--listen", "unix:DIR/x", "--work", "relative"}};
  for (const auto& arguments : wrong) {
    const Started started = start(arguments);
    EXPECT_EQ(started.status, 64) << started.errors;
    EXPECT_THAT(started.errors, testing::StartsWith("pbotvm-guest: "));
  }
}

TEST(GuestStart, help_and_version_are_told) {
  EXPECT_THAT(start({"--help"}).errors, HasSubstr("--allow-missing"));
  EXPECT_EQ(start({"--version"}).errors, "pbotvm-guest " PBOTVM_VERSION "\n");
  EXPECT_EQ(start({"--version"}).status, 0);
}

TEST(GuestStart, a_missing_piece_of_containment_stops_the_start_and_names_the_option) {
  const Started started = start({"--listen", "unix:DIR/line", "--work", "DIR/work", "--user", "no-such-user"});
  EXPECT_EQ(started.status, 69);
  EXPECT_THAT(started.errors, HasSubstr("--allow-missing user goes on without"));
}

// What is not to be tried outside a machine is accepted: it would change this system.
const std::string left_alone = "core,clock,entropy,priority";

/// Starts the program as on a kernel that was built without a system call.
std::string complaints_without(long system_call, const std::string& allow_missing) {
  const TemporaryDirectory directory;
  const std::string line = "unix:" + (directory.path() / "line").string(), work = directory.path() / "work";
  const std::vector<std::string> arguments = {"/bin/sh",
                                              "-c",
                                              "exec \"$@\" 2>\"$0\"",
                                              directory.path() / "errors",
                                              GUEST_PROGRAM,
                                              "--listen",
                                              line,
                                              "--work",
                                              work,
                                              "--user",
                                              "nobody",
                                              "--allow-missing",
                                              allow_missing};
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(system_call), 0, 1),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog program{4, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
    alarm(static_cast<unsigned>(patience.count()));  // one that does not refuse to start would serve for ever
    execv(argv[0], argv.data());
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 69) << status;
  std::ifstream errors(directory.path() / "errors");
  return {std::istreambuf_iterator<char>(errors), {}};
}

TEST(GuestStart, a_kernel_without_a_piece_is_refused_with_a_line_that_names_it) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be given the pieces";
  const std::string accepted = left_alone + ",cgroup,memory,processes,cpu";
  const std::vector<std::pair<long, std::string>> missing = {
      {SYS_seccomp, "no filter: seccomp: "},
      {SYS_mknodat, "no devices: /dev/null: "},
      {SYS_socket, "no network: socket: "},
      {SYS_sethostname, "no namespaces: sethostname: "},
      {SYS_mount_setattr, "no namespaces: mount_setattr: "},
      {SYS_prctl, "no user: "},
  };
  for (const auto& [system_call, line] : missing) {
    EXPECT_THAT(complaints_without(system_call, accepted), HasSubstr("cannot contain jobs: " + line)) << line;
  }
}

TEST(GuestStart, without_control_groups_each_piece_that_needs_them_is_named) {
  if (std::filesystem::exists("/sys/fs/cgroup/cgroup.controllers")) GTEST_SKIP() << "this system has them";
  const std::string complaints =
      start({"--listen", "unix:DIR/line", "--work", "DIR/work", "--user", "nobody", "--allow-missing", left_alone})
          .errors;
  for (const char* piece : {"cgroup", "memory", "processes", "cpu"}) {
    EXPECT_THAT(complaints, HasSubstr(std::string("no ") + piece + ": "));
    EXPECT_THAT(complaints, HasSubstr(std::string("--allow-missing ") + piece + " goes on without"));
  }
}

TEST(GuestStart, no_line_that_works_is_69) {
  const Started started = start(
      {"--serial", "DIR/nothing", "--virtio-serial", "no.such.port", "--work", "DIR/work", "--allow-missing", "all"});
  EXPECT_EQ(started.status, 69);
  EXPECT_THAT(started.errors, HasSubstr("virtio-serial port no.such.port: No such device"));
}

}  // namespace
}  // namespace pbotvm::guest_test

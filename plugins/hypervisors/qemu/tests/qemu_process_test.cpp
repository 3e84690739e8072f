// SPDX-License-Identifier: MIT
#include "qemu_process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "temporary_directory.h"

namespace pbotvm::qemu {
namespace {

using namespace std::chrono_literals;
using pbotvm::testing::TemporaryDirectory;
using pbotvm::testing::write_text;
using ::testing::HasSubstr;

class Process : public ::testing::Test {
 protected:
  std::string log() const { return directory_.file("log"); }
  std::string said() const {
    std::ifstream file(log());
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string output_of(const std::string& script, const std::vector<int>& inherited = {}) const {
    QemuProcess process({"/bin/sh", "-c", script}, inherited, log());
    EXPECT_TRUE(process.wait(Deadline::in(10s)));
    return said();
  }

  TemporaryDirectory directory_;
};

TEST_F(Process, WritesWhatItSaysToItsLogAndTellsHowItEnded) {
  QemuProcess process({"/bin/sh", "-c", "echo out; echo err >&2; exit 3"}, {}, log());
  EXPECT_TRUE(process.wait(Deadline::in(10s)));
  EXPECT_FALSE(process.alive());
  EXPECT_EQ("exit status 3", process.ending());
  EXPECT_EQ("out\nerr\n", said());
}

TEST_F(Process, InheritsJustItsDescriptorsInOrder) {
  write_text(directory_.file("a"), "first");
  write_text(directory_.file("b"), "second");
  const UniqueFd a(::open(directory_.file("a").c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd b(::open(directory_.file("b").c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd secret(::open("/dev/null", O_RDONLY));
  // In the opposite order of their numbers, which are those they have to get.
  EXPECT_EQ(
      "second first 0 1 2 3 4",
      output_of("cat <&3; printf ' '; cat <&4; for i in $(ls /proc/$$/fd); do printf \" $i\"; done", {b.get(), a.get()})
          .substr(0, 22));
  EXPECT_THAT(said(), ::testing::Not(HasSubstr(" " + std::to_string(secret.get()) + " ")));
}

TEST_F(Process, HasNoneOfTheHostsEnvironmentAndSignals) {
  ::setenv("PBOTVM_SECRET", "x", 1);
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  QemuProcess process({"/bin/sh", "-c", "echo \"secret=$PBOTVM_SECRET\"; kill -TERM $$; echo still here"}, {}, log());
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_TRUE(process.wait(Deadline::in(10s)));
  EXPECT_EQ("secret=\n", said());
  EXPECT_THAT(process.ending(), HasSubstr("signal 15"));
}

TEST_F(Process, ThatCannotBeRunIsAnErrorWithItsReason) {
  try {
    QemuProcess process({directory_.file("nothing")}, {}, log());
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("No such file"));
  }
}

TEST_F(Process, DoesNotOutliveItsObject) {
  UniqueFd watch;
  {
    QemuProcess process({"/bin/sleep", "1000"}, {}, log());
    watch.reset(static_cast<int>(::syscall(SYS_pidfd_open, process.pid(), 0)));
    EXPECT_TRUE(process.alive());
    EXPECT_FALSE(process.wait(Deadline::in(1ms)));
  }
  pollfd ended{watch.get(), POLLIN, 0};
  EXPECT_EQ(1, ::poll(&ended, 1, 0));
}

TEST_F(Process, DoesNotOutliveTheThreadThatStartedIt) {
  std::unique_ptr<QemuProcess> process;
  std::thread([&] {
    process = std::make_unique<QemuProcess>(std::vector<std::string>{"/bin/sleep", "1000"}, std::vector<int>{}, log());
  }).join();
  EXPECT_TRUE(process->wait(Deadline::in(10s)));
  EXPECT_THAT(process->ending(), HasSubstr("signal 9"));
}

TEST_F(Process, ThatMayOutliveItsThreadRunsOnAndIsToldOfBeforeItDoesAnything) {
  std::unique_ptr<QemuProcess> process;
  pid_t told = -1;
  std::thread([&] {
    process = std::make_unique<QemuProcess>(std::vector<std::string>{"/bin/sh", "-c", "echo begun; exec sleep 1000"},
                                            std::vector<int>{}, log(), [&](pid_t pid) {
                                              told = pid;
                                              ::poll(nullptr, 0, 50);  // time enough to run, were it not waiting
                                              EXPECT_EQ("", said());
                                            });
  }).join();
  EXPECT_EQ(process->pid(), told);
  EXPECT_FALSE(process->wait(Deadline::in(100ms)));
  process->let_go();
  process.reset();
  UniqueFd watch(static_cast<int>(::syscall(SYS_pidfd_open, told, 0)));
  pollfd ended{watch.get(), POLLIN, 0};
  EXPECT_EQ(0, ::poll(&ended, 1, 0));

  QemuProcess found(told, std::move(watch));  // as a later host has it
  EXPECT_TRUE(found.alive());
  found.signal(SIGTERM);
  EXPECT_TRUE(found.wait(Deadline::in(10s)));
  EXPECT_FALSE(found.alive());
  EXPECT_FALSE(found.succeeded());
  EXPECT_EQ(told, ::waitpid(told, nullptr, 0));
}

TEST_F(Process, ThatNobodyCouldBeToldOfDoesNotRun) {
  const auto refuse = [](pid_t) { throw Error(ErrorCode::unavailable, "the disk is full"); };
  EXPECT_THROW(QemuProcess({"/bin/sh", "-c", "echo begun"}, {}, log(), refuse), Error);
  EXPECT_EQ(-1, ::waitpid(-1, nullptr, WNOHANG));
  EXPECT_EQ("", said());
}

TEST(LastLines, AreTheLastOnesOfALongFile) {
  const TemporaryDirectory directory;
  std::string text;
  for (int i = 0; i < 10000; ++i) text += "line " + std::to_string(i) + "\n";
  write_text(directory.file("log"), text + "\n");
  EXPECT_EQ("line 9998 | line 9999", last_lines(directory.file("log"), 2));
}

TEST(LastLines, AreNoneOfAFileThatThereIsNot) {
  EXPECT_EQ("", last_lines("/nonexistent/log", 3));
}

}  // namespace
}  // namespace pbotvm::qemu

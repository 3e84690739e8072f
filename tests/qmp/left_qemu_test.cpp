// SPDX-License-Identifier: MIT
#include "qmp/left_qemu.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace pbotvm::qmp {
namespace {

using namespace std::chrono_literals;

/// A process with the arguments of a QEMU of that identity, until it ends or this object does.
class Program {
 public:
  explicit Program(const std::string& identity, const std::string& script = {}) {
    std::array<int, 2> started{};
    EXPECT_EQ(0, ::pipe2(started.data(), O_CLOEXEC));
    EXPECT_EQ(0, ::pipe2(never_.data(), O_CLOEXEC));
    const std::string argument = "chardev=monitor-" + identity + ",mode=control";
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(started[1], 0);
      ::dup2(never_[0], 1);
      ::execl("/bin/sh", "sh", "-c", (script + "echo >&0; read x <&1").c_str(), "sh", argument.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(started[1]);
    char byte;
    EXPECT_EQ(1, ::read(started[0], &byte, 1));  // an exec that is not over yet shows no arguments
    ::close(started[0]);
  }
  ~Program() {
    end();
    ::close(never_[0]);
    ::close(never_[1]);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return pid_; }
  bool lives() const { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }
  void end() {
    if (std::exchange(ended_, true)) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_ = -1;
  bool ended_ = false;
  std::array<int, 2> never_{};  // nobody writes there
};

class LeftQemuFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "pbotvm-left-XXXXXX";
    ASSERT_NE(nullptr, ::mkdtemp(name.data()));
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string file() const { return directory_ / left_qemu_file; }
  std::string content() const {
    std::ifstream stream(file());
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void write(const std::string& text) const { std::ofstream(file()) << text; }

  std::filesystem::path directory_;
};

TEST_F(LeftQemuFile, LeadsBackToTheProcess) {
  const std::string identity = new_identity();
  Program program(identity);
  write_left_qemu(file(), describe_process(program.pid(), identity, "memory\n\nand all that\n"));
  EXPECT_TRUE(content().starts_with(std::to_string(program.pid()) + "\n"));
  struct stat status {};
  ASSERT_EQ(0, ::stat(file().c_str(), &status));
  EXPECT_EQ(0u, status.st_mode & 0007);

  const auto left = read_left_qemu(file());
  ASSERT_TRUE(left);
  EXPECT_EQ(program.pid(), left->pid);
  EXPECT_EQ("memory\n\nand all that\n", left->purpose);
  EXPECT_EQ(::geteuid(), left->user);
  EXPECT_TRUE(open_left_qemu(*left));
  program.end();
  EXPECT_FALSE(open_left_qemu(*left));
}

TEST_F(LeftQemuFile, LeadsToNoOtherProcess) {
  const std::string identity = new_identity();
  Program program(identity);
  const LeftQemu left = describe_process(program.pid(), identity, {});
  ASSERT_TRUE(open_left_qemu(left));
  std::array<LeftQemu, 6> others;
  others.fill(left);
  ++others[0].started;  // the number was given to it later
  others[1].boot[0] ^= 1;
  others[2].identity = new_identity();
  others[3].identity.pop_back();
  ++others[4].user;
  others[5].pid = ::getpid();
  for (const LeftQemu& other : others) EXPECT_FALSE(open_left_qemu(other));
  EXPECT_TRUE(program.lives());
}

TEST_F(LeftQemuFile, IsNoneWhereItIsNotWhole) {
  EXPECT_FALSE(read_left_qemu(file()));
  write_left_qemu(file(), describe_process(::getpid(), new_identity(), "purpose\n"));
  ASSERT_TRUE(read_left_qemu(file()));
  const std::string whole = content();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write(whole.substr(0, size));
    EXPECT_FALSE(read_left_qemu(file())) << whole.substr(0, size);
  }
  for (const std::string& bad : {"-1" + whole.substr(whole.find('\n')), "1" + whole.substr(whole.find('\n')),
                                 whole + "more", "x" + whole, std::string(max_left_qemu_file + 1, '1')}) {
    write(bad);
    EXPECT_FALSE(read_left_qemu(file())) << bad.substr(0, 80);
  }
  std::filesystem::remove(file());
  ASSERT_EQ(0, ::mkfifo(file().c_str(), 0600));
  EXPECT_FALSE(read_left_qemu(file()));  // and does not wait for a writer
}

TEST_F(LeftQemuFile, IsNotWrittenThroughALink) {
  std::filesystem::create_symlink(directory_ / "elsewhere", file() + ".new");
  std::filesystem::create_symlink(directory_ / "elsewhere", file());
  write_left_qemu(file(), describe_process(::getpid(), new_identity(), {}));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "elsewhere"));
  EXPECT_TRUE(read_left_qemu(file()));
}

TEST(EndProcess, IsForcedOnWhoDoesNotHeedTheFirstSignal) {
  const std::string identity = new_identity();
  Program stubborn(identity, "trap '' TERM; ");
  const UniqueFd pidfd = open_left_qemu(describe_process(stubborn.pid(), identity, {}));
  ASSERT_TRUE(pidfd);
  EXPECT_TRUE(end_process(pidfd, 100ms, Deadline::in(30s)));
  int status = 0;
  ASSERT_EQ(stubborn.pid(), ::waitpid(stubborn.pid(), &status, 0));
  EXPECT_TRUE(WIFSIGNALED(status));
}

}  // namespace
}  // namespace pbotvm::qmp

// SPDX-License-Identifier: MIT

// Real QEMU with a real guest image: the one that the build made, or the directory PBOTVM_TEST_IMAGE.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "../../../transports/tests/loaded_factory.h"
#include "pbotvm/hypervisor.h"
#include "temporary_directory.h"

namespace pbotvm::testing {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using ::testing::HasSubstr;

constexpr const char* directory = "machines";  // of the machine, below STATE

std::string image_directory() {
  const char* named = std::getenv("PBOTVM_TEST_IMAGE");
  return named ? named : BUILT_IMAGE;
}

std::uint16_t free_port() {
  const UniqueFd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(0, ::bind(probe.get(), reinterpret_cast<sockaddr*>(&address), size));
  EXPECT_EQ(0, ::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &size));
  return ntohs(address.sin_port);
}

/// Reads until `wanted` came or the deadline passed. Sends `again`, if any, every second: what is written before the
/// guest opens its end is lost.
bool await(int fd, const std::string& wanted, const Deadline& deadline, const std::string& again = {}) {
  std::string seen;
  Deadline next = Deadline::in(0ms);
  while (!deadline.expired()) {
    if (!again.empty() && next.expired()) {
      [[maybe_unused]] const ssize_t sent = ::send(fd, again.data(), again.size(), MSG_NOSIGNAL);
      next = Deadline::in(1s);
    }
    pollfd waiting{fd, POLLIN, 0};
    if (::poll(&waiting, 1, earlier(deadline, again.empty() ? deadline : next).poll_timeout()) != 1) continue;
    char buffer[4096];
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got == 0) return false;
    if (got > 0) seen.append(buffer, static_cast<std::size_t>(got));
    if (seen.find(wanted) != std::string::npos) return true;
  }
  return false;
}

pid_t pid_of(const Hypervisor& hypervisor) {
  const std::string text = hypervisor.description();
  const std::size_t at = text.find("pid ");
  return at == std::string::npos ? -1 : std::atoi(text.c_str() + at + 4);
}

/// The factory of the plug-in file, loaded as a host loads it.
HypervisorFactory& factory() {
  static const auto loaded = load_factory<HypervisorFactory>(PLUGIN_FILE);
  return *loaded;
}

class QemuMachine : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(image_directory() + "/image.id"))
      GTEST_SKIP() << "no guest image in " << image_directory() << "; build it, or name one with PBOTVM_TEST_IMAGE";
    ASSERT_EQ(0, ::chdir(state_.path().c_str()));
    machine_.name = "m";
    machine_.domain = "m,test";
    machine_.directory = directory;
    machine_.serial = Endpoint::tcp("127.0.0.1", free_port());
    machine_.heart = Endpoint::tcp("127.0.0.1", free_port());
    machine_.virtio_serial = Endpoint::unix_socket("machines/virtio.sock");
  }
  void TearDown() override { ASSERT_EQ(0, ::chdir("/")); }

  std::unique_ptr<Hypervisor> make(const std::string& more = {}, const std::string& image = image_directory()) const {
    MachineSettings machine = machine_;
    machine.image = image;
    return factory().create(machine, Settings::parse("{plugin: qemu" + more + "}", "p.yaml"));
  }

  static Deadline soon() { return Deadline::in(60s); }

  UniqueFd console() const { return connect_endpoint(Endpoint::unix_socket("machines/console.sock"), soon()); }

  /// Runs a line in the guest's root shell and waits for its end.
  void in_guest(const std::string& line) {
    const std::string number = std::to_string(++commands_);
    const UniqueFd shell = console();
    // Put together by the guest's shell, so that the echo of what is typed is not taken for the answer.
    ASSERT_TRUE(
        await(shell.get(), "done-" + number + "-", Deadline::in(120s), line + "; echo done-$((" + number + "))-\n"))
        << line;
  }

  std::string file_in_guest_is(const std::string& path) {
    const UniqueFd shell = console();
    const std::string number = std::to_string(++commands_);
    const std::string line =
        "[ -e " + path + " ] && echo there-$((" + number + "))- || echo absent-$((" + number + "))-\n";
    for (const Deadline deadline = Deadline::in(60s); !deadline.expired();) {
      if (await(shell.get(), "there-" + number + "-", Deadline::in(500ms), line)) return "there";
      if (await(shell.get(), "absent-" + number + "-", Deadline::in(500ms), line)) return "absent";
    }
    return "no answer";
  }

  template <typename Call>
  static std::string complaint(Call call) {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "no complaint";
  }

  TemporaryDirectory state_;
  MachineSettings machine_;
  int commands_ = 0;
};

/// What stop() leaves in the machine's directory.
std::set<std::string> files_left() {
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) found.insert(entry.path().filename());
  return found;
}

TEST_F(QemuMachine, GoesBackToItsSnapshotInPlaceAndAfterARestart) {
  const auto qemu = make();
  ASSERT_EQ(Started::fresh, qemu->start(soon()));
  in_guest("mkdir /tmp/saved");
  qemu->take_snapshot(soon());
  in_guest("mkdir /tmp/later");
  EXPECT_EQ("there", file_in_guest_is("/tmp/later"));

  const pid_t pid = pid_of(*qemu);
  qemu->revert(soon());
  EXPECT_EQ("absent", file_in_guest_is("/tmp/later"));
  EXPECT_EQ("there", file_in_guest_is("/tmp/saved"));
  EXPECT_EQ(pid, pid_of(*qemu));

  qemu->stop(soon());
  EXPECT_FALSE(qemu->running());
  EXPECT_EQ(-1, ::kill(pid, 0));
  EXPECT_EQ((std::set<std::string>{"console.log", "qemu.log", "snapshot.qcow2", "snapshot.stamp"}), files_left());

  const auto another = make();  // a host that was restarted
  const auto start = Clock::now();
  ASSERT_EQ(Started::restored, another->start(soon()));
  const UniqueFd heart = connect_endpoint(machine_.heart, soon());
  in_guest("true");
  EXPECT_LT(Clock::now() - start, 3s);
  // The guest beats every five seconds, wherever in its pause it was saved.
  EXPECT_TRUE(await(heart.get(), "\n", Deadline::in(8s)));
  EXPECT_EQ("absent", file_in_guest_is("/tmp/later"));
  EXPECT_EQ("there", file_in_guest_is("/tmp/saved"));
  another->revert(soon());
  EXPECT_EQ("there", file_in_guest_is("/tmp/saved"));
}

TEST_F(QemuMachine, KeepsItsStreamsOverARevert) {
  const auto qemu = make();
  qemu->start(soon());
  in_guest("true");
  const UniqueFd heart = connect_endpoint(machine_.heart, soon());
  ASSERT_TRUE(await(heart.get(), "\n", Deadline::in(30s)));
  qemu->take_snapshot(soon());
  qemu->revert(soon());
  EXPECT_TRUE(await(heart.get(), "\n", Deadline::in(30s)));
}

TEST_F(QemuMachine, ASecondSnapshotReplacesTheFirst) {
  const auto qemu = make();
  qemu->start(soon());
  in_guest("mkdir /tmp/first");
  qemu->take_snapshot(soon());
  in_guest("mkdir /tmp/second");
  qemu->take_snapshot(soon());
  qemu->revert(soon());
  EXPECT_EQ("there", file_in_guest_is("/tmp/second"));
  qemu->stop(soon());
  EXPECT_EQ(Started::restored, qemu->start(soon()));
  EXPECT_EQ("there", file_in_guest_is("/tmp/second"));
}

TEST_F(QemuMachine, ThatIsKilledIsNoLongerRunningAndStartsAgain) {
  const auto qemu = make();
  EXPECT_FALSE(qemu->running());
  qemu->start(soon());
  EXPECT_TRUE(qemu->running());
  const UniqueFd watch(static_cast<int>(::syscall(SYS_pidfd_open, pid_of(*qemu), 0)));
  ASSERT_EQ(0, ::kill(pid_of(*qemu), SIGKILL));
  pollfd ended{watch.get(), POLLIN, 0};
  ASSERT_EQ(1, ::poll(&ended, 1, 10'000));
  EXPECT_FALSE(qemu->running());
  EXPECT_THAT(complaint([&] { qemu->take_snapshot(soon()); }), HasSubstr("does not run"));
  EXPECT_EQ(Started::fresh, qemu->start(soon()));
  EXPECT_TRUE(qemu->running());
}

TEST_F(QemuMachine, HasNothingToGoBackToBeforeItsFirstSnapshot) {
  const auto qemu = make();
  qemu->start(soon());
  EXPECT_THAT(complaint([&] { qemu->revert(soon()); }), HasSubstr("no snapshot"));
  EXPECT_TRUE(qemu->running());
}

TEST_F(QemuMachine, BootsWhenItsSnapshotIsBroken) {
  const auto qemu = make();
  qemu->start(soon());
  qemu->take_snapshot(soon());
  qemu->stop(soon());
  std::filesystem::resize_file("machines/snapshot.qcow2", std::filesystem::file_size("machines/snapshot.qcow2") / 2);
  EXPECT_EQ(Started::fresh, qemu->start(soon()));
  EXPECT_TRUE(qemu->running());
  EXPECT_FALSE(std::filesystem::exists("machines/snapshot.stamp"));
  qemu->take_snapshot(soon());
  qemu->stop(soon());
  EXPECT_EQ(Started::restored, qemu->start(soon()));
}

TEST_F(QemuMachine, BootsWhenItsSnapshotIsNoSnapshot) {
  const auto qemu = make();
  qemu->start(soon());
  qemu->take_snapshot(soon());
  qemu->stop(soon());
  write_text("machines/snapshot.qcow2", "garbage");
  EXPECT_EQ(Started::fresh, qemu->start(soon()));
}

TEST_F(QemuMachine, BootsWhenAnythingThatTheSnapshotDependsOnChanged) {
  {
    const auto qemu = make();
    qemu->start(soon());
    qemu->take_snapshot(soon());
  }
  EXPECT_EQ(Started::fresh, make(", memory: 512 MiB")->start(soon()));
  EXPECT_EQ(Started::fresh, make(", append: debug")->start(soon()));
  machine_.serial = Endpoint::tcp("127.0.0.1", free_port());  // no part of the guest
  EXPECT_EQ(Started::restored, make()->start(soon()));
}

TEST_F(QemuMachine, DropsASnapshotFromWhichItNeverLasts) {
  const auto qemu = make();
  qemu->start(soon());
  qemu->take_snapshot(soon());
  qemu->stop(soon());
  EXPECT_EQ(Started::restored, qemu->start(soon()));
  qemu->stop(soon());
  EXPECT_EQ(Started::restored, qemu->start(soon()));
  qemu->stop(soon());
  EXPECT_EQ(Started::fresh, qemu->start(soon()));
}

TEST_F(QemuMachine, GivesBackEveryDescriptor) {
  const auto open_files = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}); };
  const auto qemu = make();
  const auto before = open_files();
  qemu->start(soon());
  qemu->take_snapshot(soon());
  qemu->revert(soon());
  qemu->stop(soon());
  EXPECT_EQ(before, open_files());
}

TEST_F(QemuMachine, SaysWhatIsWrongWithItsProgram) {
  EXPECT_THAT(complaint([&] { make(", binary: /nonexistent/qemu"); }), HasSubstr("p.yaml:1:"));
  const auto qemu = make(", binary: /bin/false");
  const std::string text = complaint([&] { qemu->start(soon()); });
  EXPECT_THAT(text, HasSubstr("exit status 1"));
  EXPECT_THAT(text, HasSubstr("qemu.log"));
}

TEST_F(QemuMachine, PassesOnWhatQemuSaid) {
  const auto qemu = make(", extra: [-device, nonsense]");
  EXPECT_THAT(complaint([&] { qemu->start(soon()); }), HasSubstr("'nonsense' is not a valid device model name"));
  EXPECT_FALSE(qemu->running());
}

TEST_F(QemuMachine, SaysWhatIsMissingOfItsImage) {
  const std::string text = complaint([&] { make({}, "/nonexistent/image"); });
  EXPECT_THAT(text, HasSubstr("machines.m.image: error:"));
  EXPECT_THAT(text, HasSubstr("/nonexistent/image/vmlinuz"));
}

TEST_F(QemuMachine, SaysWhichPortIsTaken) {
  const auto first = make();
  first->start(soon());
  machine_.directory = "other";
  machine_.virtio_serial = Endpoint::unix_socket("other/virtio.sock");
  const auto second = make();
  EXPECT_THAT(complaint([&] { second->start(soon()); }), HasSubstr("cannot listen on " + machine_.serial.text()));
  EXPECT_TRUE(first->running());
}

TEST_F(QemuMachine, EndsWithItsHost) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // the orphan becomes this process' child, which waits for its end
  int pid_pipe[2];
  ASSERT_EQ(0, ::pipe(pid_pipe));
  const pid_t host = ::fork();
  if (host == 0) {
    const auto qemu = make();
    qemu->start(soon());
    const pid_t pid = pid_of(*qemu);
    [[maybe_unused]] const ssize_t told = ::write(pid_pipe[1], &pid, sizeof pid);
    ::pause();
    ::_exit(0);
  }
  pid_t pid = -1;
  ASSERT_EQ(ssize_t(sizeof pid), ::read(pid_pipe[0], &pid, sizeof pid));
  ::kill(host, SIGKILL);
  ::waitpid(host, nullptr, 0);
  int status = 0;
  EXPECT_EQ(pid, ::waitpid(pid, &status, 0));
  EXPECT_TRUE(WIFSIGNALED(status));
  ::close(pid_pipe[0]);
  ::close(pid_pipe[1]);
}

/// What a host does that root started: opens its files, then becomes another user, who cannot enter the image's
/// parents.
int live_as_nobody(Hypervisor& qemu) {
  const passwd* nobody = ::getpwnam("nobody");
  if (!nobody || ::setgroups(0, nullptr) != 0 || ::setgid(nobody->pw_gid) != 0 || ::setuid(nobody->pw_uid) != 0)
    return 10;
  try {
    if (qemu.start(Deadline::in(60s)) != Started::fresh) return 11;
    struct stat status {};
    if (::stat(("/proc/" + std::to_string(pid_of(qemu))).c_str(), &status) != 0 || status.st_uid != nobody->pw_uid)
      return 12;
    qemu.take_snapshot(Deadline::in(60s));
    qemu.revert(Deadline::in(60s));
    qemu.stop(Deadline::in(60s));
    return qemu.start(Deadline::in(60s)) == Started::restored ? 0 : 13;
  } catch (const std::exception& error) {
    ::dprintf(STDERR_FILENO, "%s\n", error.what());
    return 14;
  }
}

TEST_F(QemuMachine, RunsAsAnUnprivilegedUserWithTheImageOutOfItsReach) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const TemporaryDirectory closed;  // mode 0700
  const std::string image = closed.file("image");
  std::filesystem::create_directory(image);
  for (const char* name : {"vmlinuz", "initrd", "rootfs.squashfs", "image.id"}) {
    std::error_code error;
    std::filesystem::create_hard_link(image_directory() + "/" + name, image + "/" + name, error);
    if (error) std::filesystem::copy_file(image_directory() + "/" + name, image + "/" + name);
  }
  const TemporaryDirectory above;  // STATE is below a directory that nobody may enter either
  const std::string state = above.file("state");
  std::filesystem::create_directory(state);
  const passwd* nobody = ::getpwnam("nobody");
  ASSERT_TRUE(nobody);
  ASSERT_EQ(0, ::chown(state.c_str(), nobody->pw_uid, nobody->pw_gid));
  ASSERT_EQ(0, ::chdir(state.c_str()));

  const pid_t host = ::fork();
  if (host == 0) {
    auto qemu = make({}, image);
    const int outcome = live_as_nobody(*qemu);
    qemu.reset();
    ::_exit(outcome);
  }
  int status = -1;
  ASSERT_EQ(host, ::waitpid(host, &status, 0));
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(0, WEXITSTATUS(status));
}

}  // namespace
}  // namespace pbotvm::testing

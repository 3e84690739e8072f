// SPDX-License-Identifier: MIT

// Disks, cards, ports and screens of real machines; what happens when the disks of this system are full.

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>

#include "qemu_machine_fixture.h"

namespace pbotvm::testing {
namespace {

constexpr int skipped = 77;

/// Runs a program and waits for it; its exit status, -1 if it could not be run.
int run(std::vector<std::string> argv) {
  std::vector<char*> pointers;
  for (std::string& argument : argv) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int null = ::open("/dev/null", O_WRONLY);
    ::dup2(null, 1);
    ::execvp(pointers[0], pointers.data());
    ::_exit(127);
  }
  int status = -1;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class QemuDevices : public QemuMachine {
 protected:
  /// A process of its own may change what belongs to a whole process: its user, its mounts, its network.
  void in_a_process_of_its_own(const std::function<int()>& body) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      int outcome = 1;
      try {
        outcome = body();
      } catch (const std::exception& error) {
        std::cerr << error.what() << std::endl;
      }
      ::_exit(HasFailure() ? 1 : outcome);
    }
    int status = -1;
    ASSERT_EQ(pid, ::waitpid(pid, &status, 0));
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == skipped) GTEST_SKIP() << "this system does not let this user have namespaces of its own";
    EXPECT_EQ(0, WEXITSTATUS(status));
  }

  void make_overlay(const std::string& overlay, const std::string& base, const std::string& format) {
    ASSERT_EQ(0, run({"qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", format, overlay}));
  }

  /// What the guest reads at the beginning of its second disk, past its caches.
  void expect_disk(const std::string& text) {
    in_guest("dd if=/dev/vdb bs=512 count=1 iflag=direct 2>/dev/null | grep -q ^" + text + " && touch /tmp/is-" + text);
    EXPECT_EQ("there", file_in_guest_is("/tmp/is-" + text));
  }
  void write_disk(const std::string& text) {
    in_guest("echo " + text + " | dd of=/dev/vdb bs=512 conv=sync,fsync 2>/dev/null");
  }
};

TEST_F(QemuDevices, ABaseThatItsUserCannotWriteServesAnOverlayThatARevertPutsBack) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const TemporaryDirectory disks;
  ::chmod(disks.path().c_str(), 0755);
  const std::string base = disks.file("base.raw"), overlay = disks.file("overlay.qcow2");
  write_text(base, "base" + std::string(1024 * 1024 - 4, '\n'));
  ::chmod(base.c_str(), 0444);
  make_overlay(overlay, base, "raw");
  const std::string before = content(base);
  const passwd* nobody = ::getpwnam("nobody");
  ASSERT_TRUE(nobody);
  ASSERT_EQ(0, ::chown(overlay.c_str(), nobody->pw_uid, nobody->pw_gid));
  ASSERT_EQ(0, ::chown(state_.path().c_str(), nobody->pw_uid, nobody->pw_gid));

  in_a_process_of_its_own([&] {
    const auto qemu = make(", disks: [{file: " + overlay + "}]");
    if (::setgroups(0, nullptr) != 0 || ::setgid(nobody->pw_gid) != 0 || ::setuid(nobody->pw_uid) != 0) return 2;
    EXPECT_EQ(Started::fresh, qemu->start(soon()));
    expect_disk("base");
    write_disk("saved");
    qemu->take_snapshot(soon());
    write_disk("later");
    expect_disk("later");
    qemu->revert(soon());
    expect_disk("saved");
    write_disk("later");
    qemu->take_snapshot(soon());  // replaces what is saved in the disk, too
    write_disk("last");
    qemu->stop(soon());
    EXPECT_EQ(Started::restored, qemu->start(soon()));
    expect_disk("later");
    auto& snapshots = *static_cast<HypervisorSnapshots*>(qemu->extension(HypervisorSnapshots::identifier));
    snapshots.create("named", soon());
    write_disk("other");
    qemu->revert(soon());
    snapshots.revert_to("named", soon());
    expect_disk("later");
    snapshots.remove("named", soon());
    return 0;
  });
  EXPECT_EQ(before, content(base));
  EXPECT_GT(std::filesystem::file_size(overlay), 200'000u);
}

TEST_F(QemuDevices, TwoMachinesCannotBeMadeOnOneDiskNorStartOnAnotherHostsDisk) {
  const std::string disk = state_.file("disk.qcow2");
  ASSERT_EQ(0, run({"qemu-img", "create", "-q", "-f", "qcow2", disk, "1M"}));
  const std::string disks = ", disks: [{file: " + disk + "}]";
  int told[2];
  ASSERT_EQ(0, ::pipe(told));
  const pid_t other = ::fork();  // another host
  if (other == 0) {
    machine_.directory = "other";
    machine_.serial = Endpoint();
    machine_.heart = Endpoint();
    machine_.virtio_serial = Endpoint();
    const auto qemu = make(disks);
    qemu->start(soon());
    [[maybe_unused]] const ssize_t written = ::write(told[1], "x", 1);
    ::pause();
    ::_exit(0);
  }
  char byte;
  ASSERT_EQ(1, ::read(told[0], &byte, 1));
  const auto qemu = make(disks);
  const std::string text = complaint([&] { qemu->start(soon()); });
  EXPECT_THAT(text, HasSubstr("a disk is in use by somebody else"));
  EXPECT_THAT(text, HasSubstr("give this machine an overlay of its own"));
  EXPECT_FALSE(qemu->running());

  machine_.name = "second";
  EXPECT_THAT(complaint([&] { make(disks); }), HasSubstr("is a disk of machine 'm' already"));

  ::kill(other, SIGKILL);
  ::waitpid(other, nullptr, 0);
  std::string last = "never tried";
  for (const Deadline deadline = soon(); last != "no complaint" && !deadline.expired(); ::poll(nullptr, 0, 50))
    last = complaint([&] { qemu->start(soon()); });
  EXPECT_EQ("no complaint", last);
  ::close(told[0]);
  ::close(told[1]);
}

TEST_F(QemuDevices, CardsPortsAndScreensComeUpAndAreInTheSnapshot) {
  const std::string port = std::to_string(free_port());
  const auto qemu = make(", nics: [{type: user, hostfwd: [\"tcp:127.0.0.1:" + port +
                         "-:22\"]}], balloon: true, display: vnc"
                         ", serials: [\"unix:machines/one.sock\", \"unix:machines/two.sock\"]");
  ASSERT_EQ(Started::fresh, qemu->start(soon()));
  in_guest("stty -F /dev/ttyS1 raw -echo; stty -F /dev/ttyS4 raw -echo");
  const UniqueFd one = connect_endpoint(Endpoint::unix_socket("machines/one.sock"), soon());
  const UniqueFd two = connect_endpoint(Endpoint::unix_socket("machines/two.sock"), soon());
  in_guest("echo first >/dev/ttyS1; echo second >/dev/ttyS4");
  EXPECT_TRUE(await(one.get(), "first", soon()));
  EXPECT_TRUE(await(two.get(), "second", soon()));
  in_guest("grep -l 0x1000 /sys/bus/pci/devices/*/device && touch /tmp/card");  // a virtio network card
  EXPECT_EQ("there", file_in_guest_is("/tmp/card"));
  const UniqueFd screen = connect_endpoint(Endpoint::unix_socket("machines/display.sock"), soon());
  EXPECT_TRUE(await(screen.get(), "RFB 003", soon()));
  const UniqueFd forwarded =
      connect_endpoint(Endpoint::tcp("127.0.0.1", static_cast<std::uint16_t>(std::stoi(port))), soon());
  qemu->take_snapshot(soon());
  qemu->revert(soon());
  in_guest("echo third >/dev/ttyS4");
  EXPECT_TRUE(await(two.get(), "third", soon()));
  qemu->stop(soon());
  EXPECT_FALSE(std::filesystem::exists("machines/display.sock"));
  EXPECT_FALSE(std::filesystem::exists("machines/one.sock"));
  EXPECT_EQ(Started::restored, qemu->start(soon()));
  in_guest("true");
}

/// Mounts and a network that nobody else sees; false where this system does not allow it.
bool separate(int flags) {
  return ::unshare(flags) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

TEST_F(QemuDevices, ACardOnABridgeGetsItsPortFromQemusOwnHelper) {
  if (!std::filesystem::exists("/usr/lib/qemu/qemu-bridge-helper") || !std::filesystem::exists("/dev/net/tun"))
    GTEST_SKIP() << "there is no qemu-bridge-helper in Debian's place, or no /dev/net/tun";
  const std::string layer = state_.file("etc");
  std::filesystem::create_directory(layer);
  in_a_process_of_its_own([&] {
    if (!separate(CLONE_NEWNS | CLONE_NEWNET) || ::mount("none", layer.c_str(), "tmpfs", 0, nullptr) != 0)
      return skipped;
    std::filesystem::create_directories(layer + "/upper/qemu");
    std::filesystem::create_directory(layer + "/scratch");
    const std::string options = "lowerdir=/etc,upperdir=" + layer + "/upper,workdir=" + layer + "/scratch";
    if (::mount("none", "/etc", "overlay", 0, options.c_str()) != 0) return skipped;
    if (run({"ip", "link", "set", "lo", "up"}) != 0 || run({"ip", "link", "add", "br-test", "type", "bridge"}) != 0)
      return skipped;
    const std::string nics = ", nics: [{type: bridge, bridge: br-test}]";
    EXPECT_THAT(complaint([&] { make(nics); }), HasSubstr("write the line 'allow br-test'"));
    write_text("/etc/qemu/bridge.conf", "allow br-test\nallow br-none\n");
    EXPECT_THAT(complaint([&] { make(", nics: [{type: bridge, bridge: br-none}]"); }),
                HasSubstr("ip link add br-none"));
    const auto qemu = make(nics);
    EXPECT_EQ(Started::fresh, qemu->start(soon()));
    EXPECT_EQ(0, run({"sh", "-c", "ip -o link show master br-test | grep -q tap"}));
    in_guest("grep -l 0x1000 /sys/bus/pci/devices/*/device && touch /tmp/card");
    EXPECT_EQ("there", file_in_guest_is("/tmp/card"));
    qemu->take_snapshot(soon());
    qemu->stop(soon());
    EXPECT_EQ(Started::restored, qemu->start(soon()));  // the port is the same one
    in_guest("true");
    return 0;
  });
}

/// How many ms a call took.
template <typename Call>
long took(Call call) {
  const auto begin = Clock::now();
  call();
  return static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count());
}

TEST_F(QemuDevices, AFullStateSpoilsNeitherTheMachineNorItsNextSnapshot) {
  in_a_process_of_its_own([&] {
    const std::string small = state_.file("small");
    std::filesystem::create_directory(small);
    if (!separate(CLONE_NEWNS) || ::mount("none", small.c_str(), "tmpfs", 0, "size=8m") != 0) return skipped;
    std::filesystem::current_path(small);
    const auto qemu = make();
    qemu->start(soon());
    in_guest("true");
    const long failed = took([&] {
      EXPECT_THAT(complaint([&] { qemu->take_snapshot(soon()); }), HasSubstr("QEMU's snapshot-save failed"));
    });
    EXPECT_TRUE(qemu->running());
    in_guest("true");
    EXPECT_FALSE(std::filesystem::exists("machines/snapshot.new.qcow2"));
    EXPECT_THAT(complaint([&] { qemu->revert(soon()); }), HasSubstr("no snapshot"));
    if (::mount("none", small.c_str(), nullptr, MS_REMOUNT, "size=1g") != 0) return 3;
    const long saved = took([&] { qemu->take_snapshot(soon()); });
    qemu->revert(soon());
    in_guest("true");
    std::cout << "full disk reported after " << failed << " ms; with room again, saved in " << saved << " ms"
              << std::endl;
    std::filesystem::current_path("/");
    return 0;
  });
}

TEST_F(QemuDevices, AFullDiskPausesTheMachineWhichSaysSoAndIsMendedByARevert) {
  using Kind = HypervisorEvent::Kind;
  in_a_process_of_its_own([&] {
    const std::string small = state_.file("small");
    std::filesystem::create_directory(small);
    if (!separate(CLONE_NEWNS) || ::mount("none", small.c_str(), "tmpfs", 0, "size=4m") != 0) return skipped;
    const std::string disk = small + "/disk.qcow2";
    if (run({"qemu-img", "create", "-q", "-f", "qcow2", disk, "64M"}) != 0) return 3;
    const auto qemu = make(", disks: [{file: " + disk + "}]");
    auto& events = *static_cast<HypervisorEvents*>(qemu->extension(HypervisorEvents::identifier));
    qemu->start(soon());
    in_guest("true");
    qemu->take_snapshot(soon());
    UniqueFd shell = console();
    const std::string line = "\ndd if=/dev/urandom of=/dev/vdb bs=64k count=256 oflag=direct\n";
    EXPECT_EQ(ssize_t(line.size()), ::send(shell.get(), line.data(), line.size(), MSG_NOSIGNAL));
    std::optional<HypervisorEvent> event;
    for (const Deadline deadline = soon(); !(event = events.take_event()) && !deadline.expired();)
      ::poll(nullptr, 0, 10);
    if (!event) return 4;
    EXPECT_EQ(Kind::paused, event->kind);
    EXPECT_THAT(event->text, HasSubstr("No space left on device"));
    EXPECT_TRUE(qemu->running());
    shell.reset();  // it has one client
    const long mended = took([&] { qemu->revert(soon()); });
    in_guest("true");
    std::cout << "a machine that its full disk paused runs again " << mended << " ms after the revert began"
              << std::endl;
    return 0;
  });
}

TEST_F(QemuDevices, ASnapshotThatSomebodyRemovedIsMissedAtTheNextStartAndNotBefore) {
  const auto qemu = make();
  qemu->start(soon());
  in_guest("mkdir /tmp/saved");
  qemu->take_snapshot(soon());
  std::filesystem::remove("machines/snapshot.qcow2");
  const long reverted = took([&] { qemu->revert(soon()); });  // QEMU has it open
  EXPECT_EQ("there", file_in_guest_is("/tmp/saved"));
  qemu->stop(soon());
  EXPECT_EQ(Started::fresh, qemu->start(soon()));
  EXPECT_TRUE(qemu->running());
  std::cout << "reverted to a removed file in " << reverted << " ms" << std::endl;
}

}  // namespace
}  // namespace pbotvm::testing

// SPDX-License-Identifier: MIT
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>

#include "../../plugins/languages/tests/local_runner.h"
#include "cli/doctor/check.h"
#include "program.h"

namespace pbotvm::cli::doctor {
namespace {

using ::testing::AllOf;
using testing::Ended;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::run_program;
using testing::TemporaryDirectory;
using State = Finding::State;

void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

config::Configuration configuration(const std::string& yaml, const std::filesystem::path& folder) {
  write(folder / "pbotvm.yaml", yaml);
  config::Sources sources;
  sources.file = folder / "pbotvm.yaml";
  return config::load(sources);
}

// A system that is a tree of files.
class Doctor : public ::testing::Test {
 protected:
  Doctor() {
    system_.root = folder_.path();
    system_.kernel = "6.1-test";
    system_.user = 1000;
    system_.user_name = "ann";
  }
  void put(const std::string& path, const std::string& text) { write(folder_.path() / path, text); }
  config::Configuration with(const std::string& yaml) { return configuration(yaml, folder_.path()); }

  TemporaryDirectory folder_;
  System system_;
};

TEST_F(Doctor, ProcessorWithTheFlagIsWell) {
  put("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme vmx ssse3\n");
  EXPECT_EQ(check_processor(system_).state, State::ok);
}

TEST_F(Doctor, ProcessorWithoutTheFlagIsAWarningAlsoWhereAnotherWordContainsIt) {
  put("proc/cpuinfo", "processor\t: 0\nvmx flags\t: vmx svm\nflags\t\t: fpu novmx svmx\n");
  const auto finding = check_processor(system_);
  EXPECT_EQ(finding.state, State::warn);
  EXPECT_THAT(finding.remedy, HasSubstr("firmware"));
}

TEST_F(Doctor, KvmIsUsableWhereItOpensAndTheProcessorHasTheFlag) {
  put("dev/kvm", "");
  put("proc/cpuinfo", "flags\t\t: svm\n");
  EXPECT_EQ(check_kvm(system_, with("")).state, State::ok);
  put("proc/cpuinfo", "flags\t\t: fpu\n");
  EXPECT_EQ(check_kvm(system_, with("")).state, State::warn);
}

TEST_F(Doctor, MissingKvmFailsOnlyWhereAMachineDemandsIt) {
  EXPECT_EQ(check_kvm(system_, with("")).state, State::warn);
  EXPECT_EQ(check_kvm(system_, with("machines: {pbot-vm: {hypervisor: {plugin: qemu, accel: kvm}}}")).state,
            State::fail);
}

TEST_F(Doctor, ModulesAreLoadedBuiltInToBeLoadedOrNotThere) {
  put("sys/module/kvm/refcnt", "0");
  put("lib/modules/6.1-test/modules.builtin", "kernel/drivers/net/tun.ko\n");
  put("lib/modules/6.1-test/modules.dep", "kernel/drivers/vhost/vhost_vsock.ko.xz: kernel/x.ko\n");
  const auto findings = check_modules(system_, with(""));
  ASSERT_EQ(findings.size(), 3u);
  EXPECT_EQ(findings[0].state, State::ok);
  EXPECT_EQ(findings[1].state, State::warn);
  EXPECT_THAT(findings[1].remedy, HasSubstr("modprobe vhost_vsock"));
  EXPECT_EQ(findings[2].state, State::ok);
  EXPECT_THAT(findings[2].found, HasSubstr("built in"));
  std::filesystem::remove_all(folder_.path() / "lib");
  EXPECT_THAT(check_modules(system_, with(""))[1].found, HasSubstr("not there for kernel 6.1-test"));
}

TEST_F(Doctor, VsockDeviceIsNeededOnlyByMachinesThatUseIt) {
  const std::string only = "machines: {pbot-vm: {transports: [vsock]}}";
  EXPECT_EQ(check_vsock(system_, with(only)).state, State::fail);
  EXPECT_EQ(check_vsock(system_, with("")).state, State::warn);
  EXPECT_EQ(check_vsock(system_, with("machines: {pbot-vm: {transports: [serial]}}")).state, State::ok);
  EXPECT_EQ(check_vsock(system_, with("machines: {pbot-vm: {cid: 0}}")).state, State::ok);
  put("dev/vhost-vsock", "");
  EXPECT_EQ(check_vsock(system_, with(only)).state, State::ok);
}

TEST_F(Doctor, MembershipIsTheSessionsNotTheFiles) {
  put("etc/group", "root:x:0:\nkvm:x:104:bob,ann\nlibvirt:x:105:bob\n");
  const auto libvirt = with(
      "machines: {pbot-vm: {hypervisor: libvirt}, b: {hypervisor: qemu, serial: 1, heart: 2, "
      "virtio_serial: 0, cid: 0}}");
  auto findings = check_groups(system_, libvirt);
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].state, State::warn);
  EXPECT_THAT(findings[0].found, HasSubstr("not in this session"));
  EXPECT_EQ(findings[1].state, State::warn);
  EXPECT_THAT(findings[1].remedy, HasSubstr("adduser ann libvirt"));
  system_.groups = {"kvm", "libvirt"};
  for (const auto& finding : check_groups(system_, libvirt)) EXPECT_EQ(finding.state, State::ok) << finding.check;
  system_.groups = {};
  EXPECT_EQ(check_groups(system_, with("")).at(1).state, State::ok) << "no machine of libvirt";
}

TEST_F(Doctor, RootNeedsTheDaemonsUser) {
  system_.user = 0;
  const auto findings = check_groups(system_, with("host: {user: no-such-user-here}"));
  ASSERT_EQ(findings.size(), 3u);
  EXPECT_EQ(findings[2].state, State::fail);
}

// ---- Ports

class Listener {
 public:
  Listener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(socket_.get(), 1) != 0)
      throw std::runtime_error("listen");
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  std::string port() const { return std::to_string(port_); }
  bool was_connected_to() const {
    pollfd ready{socket_.get(), POLLIN, 0};
    return ::poll(&ready, 1, 0) > 0;
  }
  void close() { socket_.reset(); }

 private:
  UniqueFd socket_;
  std::uint16_t port_ = 0;
};

TEST_F(Doctor, TakenPortFailsAndSaysHowToFindOut) {
  const Listener taken;
  const auto finding = check_host(with("host: {server: " + taken.port() + "}"), nullptr);
  EXPECT_EQ(finding.state, State::fail);
  EXPECT_THAT(finding.remedy, AllOf(HasSubstr("ss -ltnp"), HasSubstr("PBOTVM_SERVER")));
}

TEST_F(Doctor, PortOfTheRunningHostIsWell) {
  const Listener held;
  const nlohmann::json host = {{"address", "127.0.0.1:" + held.port()}, {"pid", 7}};
  const auto finding = check_host(with("host: {server: " + held.port() + "}"), host);
  EXPECT_EQ(finding.state, State::ok);
  EXPECT_THAT(finding.found, HasSubstr("process 7"));
}

TEST_F(Doctor, FreePortIsWell) {
  Listener freed;
  freed.close();
  EXPECT_EQ(check_host(with("host: {server: " + freed.port() + "}"), nullptr).state, State::ok);
}

TEST_F(Doctor, MachinesPortsAreJudgedByWhoListensThere) {
  const Listener data;
  Listener heart;
  heart.close();
  const auto yaml = [&](const std::string& hypervisor) {
    return "machines: {pbot-vm: {hypervisor: " + hypervisor + ", serial: " + data.port() + ", heart: " + heart.port() +
           "}}";
  };
  auto findings = check_ports(with(yaml("qemu")), nullptr);
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].state, State::fail) << "QEMU could not listen there";
  EXPECT_EQ(findings[1].state, State::ok);
  findings = check_ports(with(yaml("none")), nullptr);
  EXPECT_EQ(findings[0].state, State::ok) << "the machine listens there";
  EXPECT_EQ(findings[1].state, State::warn) << "the machine does not run";
  const nlohmann::json host = {{"machines", {{{"name", "pbot-vm"}}}}};
  EXPECT_EQ(check_ports(with(yaml("qemu")), host)[0].state, State::ok) << "the running host's own machine";
  EXPECT_FALSE(data.was_connected_to()) << "a machine's line has room for one client";
}

// ---- Machines

TEST_F(Doctor, ImageMustBeComplete) {
  const std::string image = (folder_.path() / "image").string();
  const auto configured = with("machines: {pbot-vm: {image: " + image + "}}");
  for (const char* name : {"vmlinuz", "initrd", "rootfs.squashfs"}) put("image/" + std::string(name), "x");
  EXPECT_THAT(check_images(configured).at(0).found, HasSubstr("image.id"));
  EXPECT_EQ(check_images(configured).at(0).state, State::fail);
  put("image/image.id", "");
  EXPECT_EQ(check_images(configured).at(0).state, State::fail) << "empty";
  put("image/image.id", "1");
  EXPECT_EQ(check_images(configured).at(0).state, State::ok);
  EXPECT_THAT(check_images(with("machines: {pbot-vm: {hypervisor: none}}")), IsEmpty());
}

TEST_F(Doctor, SnapshotIsOneWithAStamp) {
  const auto configured = with("host: {state: " + folder_.path().string() + "}");
  put("machines/pbot-vm/snapshot.qcow2", "x");
  EXPECT_THAT(check_snapshots(configured).at(0).found, HasSubstr("none yet"));
  put("machines/pbot-vm/snapshot.stamp", "x");
  EXPECT_THAT(check_snapshots(configured).at(0).found, HasSubstr("there is one"));
}

TEST_F(Doctor, RoomIsThatOfTheNextDirectoryThatIsThere) {
  const auto finding = check_space(with("host: {state: " + (folder_.path() / "not/there").string() + "}"));
  EXPECT_THAT(finding.found, HasSubstr("MiB are free"));
}

TEST_F(Doctor, PluginsThatAreNamedMustBeThere) {
  const std::string plugins = std::string(BIN) + "/../lib/pbotvm";
  auto findings = check_plugins(with("host: {plugins: [" + folder_.path().string() + "]}"));
  EXPECT_EQ(findings.at(0).state, State::fail);
  EXPECT_THAT(findings.at(1).check, HasSubstr("hypervisor qemu"));
  put("plugins/transport-broken.so", "no plug-in");
  findings = check_plugins(with("host: {plugins: [" + (folder_.path() / "plugins").string() + "]}"));
  EXPECT_EQ(findings.at(1).state, State::warn);
  EXPECT_THAT(findings.at(1).found, HasSubstr("refused"));
  findings = check_plugins(with("host: {plugins: [/nonexistent]}"));
  EXPECT_EQ(findings.at(0).state, State::fail);
}

// ---- What is printed

TEST(Finding, IsOneLineWithItsRemedy) {
  EXPECT_EQ(finding_text({State::warn, "KVM", "there is none", "modprobe it"}),
            "warn  KVM: there is none - modprobe it");
  EXPECT_EQ(finding_text({State::ok, "KVM", "works"}), "ok    KVM: works");
  EXPECT_EQ(finding_json({State::fail, "a", "b", "c"}),
            (nlohmann::json{{"check", "a"}, {"state", "fail"}, {"found", "b"}, {"remedy", "c"}}));
}

TEST(DoctorCommand, LinesAndJsonSayTheSameAndTheStatusIsThatOfTheWorst) {
  const TemporaryDirectory state;
  const Listener taken;  // so that something fails on every system
  const std::vector<std::string> environment = {"PBOTVM_STATE=" + state.path().string(), "PATH=/usr/bin:/bin",
                                                "PBOTVM_SERVER=" + taken.port()};
  Ended lines, json;
  for (int attempt = 0; attempt < 20; ++attempt) {  // on a busy system a program may be too slow for one of the two
    lines = run_program("pbotvm", {"doctor"}, environment);
    json = run_program("pbotvm", {"doctor", "--json"}, environment);
    if ((lines.out + json.out).find("in time") == std::string::npos) break;
  }
  EXPECT_EQ(lines.status, 1);
  EXPECT_EQ(json.status, 1);
  const auto findings = nlohmann::json::parse(json.out);
  std::string again;
  for (const auto& finding : findings) {
    ASSERT_EQ(finding.size(), 4u);
    if (!finding["check"].get<std::string>().starts_with("room in")) {
      EXPECT_THAT(lines.out, HasSubstr(finding["found"]));
    }
    if (finding["state"] != "ok") {
      EXPECT_NE(finding["remedy"], "") << finding;
    }
  }
  EXPECT_EQ(std::ranges::count(lines.out, '\n'), static_cast<std::ptrdiff_t>(findings.size()));
}

TEST(DoctorCommand, ProgramThatHangsDoesNotHoldItUp) {
  const TemporaryDirectory folder;
  write(folder.path() / "virsh", "#!/bin/sh\nexec sleep 1000\n");
  std::filesystem::permissions(folder.path() / "virsh", std::filesystem::perms::all);
  const auto begun = std::chrono::steady_clock::now();
  const Ended ended =
      run_program("pbotvm", {"doctor"},
                  {"PBOTVM_STATE=" + folder.path().string(), "PATH=" + folder.path().string() + ":/usr/bin:/bin"});
  EXPECT_THAT(ended.out, HasSubstr("did not say its version in time"));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(30));
}

TEST(DoctorCommand, WrongUsageAndWrongConfiguration) {
  EXPECT_EQ(run_program("pbotvm", {"doctor", "now"}, {}).status, 64);
  EXPECT_EQ(run_program("pbotvm", {"doctor"}, {"PBOTVM_SERVER=x"}).status, 78);
  EXPECT_EQ(run_program("pbotvm", {"doctor", "--help"}, {}).status, 0);
}

}  // namespace
}  // namespace pbotvm::cli::doctor

// SPDX-License-Identifier: MIT
#include "cli/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command.h"
#include "pbotvm/settings.h"
#include "program.h"

namespace pbotvm::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using State = DeviceInDomain::State;

MachineSettings settings() {
  MachineSettings machine;
  machine.name = machine.domain = "pbot-vm";
  machine.serial = Endpoint::tcp("127.0.0.1", 5555);
  machine.heart = Endpoint::tcp("127.0.0.1", 5556);
  machine.virtio_serial = Endpoint::unix_socket("machines/pbot-vm/v.sock");
  machine.cid = 7;
  return machine;
}

std::string domain(const std::string& devices) {
  return "<domain type='qemu'><name>x</name><devices>" + devices + "</devices></domain>";
}

TEST(DeviceXml, SerialLinesArePorts2And3AndListen) {
  const auto devices = serial_devices(settings(), "/state");
  ASSERT_EQ(devices.size(), 2u);
  EXPECT_EQ(device_xml(devices[0]),
            "<serial type='tcp'>\n"
            "  <source mode='bind' host='127.0.0.1' service='5555'/>\n"
            "  <protocol type='raw'/>\n"
            "  <target type='isa-serial' port='2'/>\n"
            "</serial>\n");
  EXPECT_THAT(device_xml(devices[1]), HasSubstr("service='5556'"));
  EXPECT_THAT(device_xml(devices[1]), HasSubstr("port='3'"));
}

TEST(DeviceXml, SocketIsBelowTheStateAndItsPathIsEscaped) {
  auto machine = settings();
  machine.virtio_serial = Endpoint::unix_socket("it's <a> & b");
  EXPECT_EQ(device_xml(virtio_serial_device(machine, "/state")),
            "<channel type='unix'>\n"
            "  <source mode='bind' path='/state/it&apos;s &lt;a> &amp; b'/>\n"
            "  <target type='virtio' name='pbotvm.data'/>\n"
            "</channel>\n");
}

TEST(DeviceXml, VsockHasTheContextId) {
  EXPECT_EQ(device_xml(vsock_device(settings())), "<vsock model='virtio'>\n  <cid auto='no' address='7'/>\n</vsock>\n");
}

TEST(DeviceSettings, WhatIsNoDeviceIsRefused) {
  auto machine = settings();
  machine.cid = 0;
  EXPECT_THROW(vsock_device(machine), ConfigurationError);
  machine.cid = 1;  // this very system
  EXPECT_THROW(vsock_device(machine), ConfigurationError);
  machine.heart = {};
  EXPECT_THROW(serial_devices(machine, "/state"), ConfigurationError);
  machine.virtio_serial = {};
  EXPECT_THROW(virtio_serial_device(machine, "/state"), ConfigurationError);
}

TEST(QemuArguments, AreThoseOfPlainQemu) {
  EXPECT_THAT(qemu_arguments(serial_devices(settings(), "/state")),
              ElementsAre("-chardev", "socket,id=data,host=127.0.0.1,port=5555,server=on,wait=off,nodelay=on",
                          "-device", "isa-serial,chardev=data,index=2", "-chardev",
                          "socket,id=heart,host=127.0.0.1,port=5556,server=on,wait=off,nodelay=on", "-device",
                          "isa-serial,chardev=heart,index=3"));
  EXPECT_THAT(qemu_arguments({vsock_device(settings())}), ElementsAre("-device", "vhost-vsock-pci,guest-cid=7"));
  auto machine = settings();
  machine.virtio_serial = Endpoint::unix_socket("/a,b");
  EXPECT_THAT(qemu_arguments({virtio_serial_device(machine, "/state")}),
              ElementsAre("-device", "virtio-serial-pci,id=serial0", "-chardev",
                          "socket,id=virtio,path=/a,,b,server=on,wait=off", "-device",
                          "virtserialport,bus=serial0.0,chardev=virtio,name=pbotvm.data"));
}

TEST(ShellLine, IsReadBackByAShellAsItWas) {
  const std::vector<std::string> words = {"printf", "%s|", "plain", "a b", "it's", "", "$HOME `id`", "a\nb"};
  int pipes[2];
  ASSERT_EQ(::pipe(pipes), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipes[1], 1);
    ::execl("/bin/sh", "sh", "-c", shell_line(words).c_str(), nullptr);
    ::_exit(127);
  }
  ::close(pipes[1]);
  std::string out;
  char bytes[256];
  for (ssize_t size; (size = ::read(pipes[0], bytes, sizeof bytes)) > 0;)
    out.append(bytes, static_cast<std::size_t>(size));
  ::close(pipes[0]);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(out, "plain|a b|it's||$HOME `id`|a\nb|");
}

TEST(DeviceInDomain, IsFoundWhereItWasAdded) {
  const auto serials = serial_devices(settings(), "/state");
  const auto virtio = virtio_serial_device(settings(), "/state");
  const auto vsock = vsock_device(settings());
  const std::string all =
      domain(device_xml(serials[0]) + device_xml(serials[1]) + device_xml(virtio) + device_xml(vsock));
  for (const Device& device : {serials[0], serials[1], virtio, vsock}) {
    EXPECT_EQ(find_device(all, device).state, State::present) << device.name;
    EXPECT_EQ(find_device(domain("<serial type='pty'><target type='isa-serial' port='0'/></serial>"), device).state,
              State::missing)
        << device.name;
  }
}

TEST(DeviceInDomain, OfOtherSettingsIsInTheWay) {
  auto other = settings();
  other.serial = Endpoint::tcp("127.0.0.1", 7777);
  other.cid = 42;
  other.virtio_serial = Endpoint::unix_socket("/elsewhere");
  const std::string all =
      domain(device_xml(serial_devices(settings(), "/state")[0]) +
             device_xml(virtio_serial_device(settings(), "/state")) + device_xml(vsock_device(settings())));
  const auto serial = find_device(all, serial_devices(other, "/state")[0]);
  EXPECT_EQ(serial.state, State::conflict);
  EXPECT_EQ(serial.conflict, "serial port 2 is tcp 127.0.0.1:5555");
  EXPECT_EQ(find_device(all, vsock_device(other)).conflict, "its vsock has the context id 7");
  EXPECT_EQ(find_device(all, virtio_serial_device(other, "/state")).state, State::conflict);
}

TEST(DeviceInDomain, PortOfAnotherSerialLineIsInTheWay) {
  auto other = settings();
  other.heart = Endpoint::tcp("127.0.0.1", 5555);  // the data line's
  const std::string all = domain(device_xml(serial_devices(settings(), "/state")[0]));
  EXPECT_EQ(find_device(all, serial_devices(other, "/state")[1]).state, State::conflict);
}

TEST(DeviceInDomain, ContextIdThatLibvirtChoosesIsNotOurs) {
  const std::string chosen = domain("<vsock model='virtio'><cid auto='yes' address='7'/></vsock>");
  EXPECT_EQ(find_device(chosen, vsock_device(settings())).state, State::conflict);
}

TEST(WrittenFiles, AreTheDisksThatADomainMayWrite) {
  EXPECT_THAT(written_files("<domain><devices>"
                            "<disk type='file' device='disk'><source file='/d/a.qcow2'/></disk>"
                            "<disk type='file'><source file='/d/b.qcow2'/></disk>"
                            "<disk type='file' device='disk'><source file='/d/base'/><readonly/></disk>"
                            "<disk type='file' device='cdrom'><source file='/d/installer.iso'/></disk>"
                            "<disk type='block' device='disk'><source dev='/dev/sdz'/></disk>"
                            "</devices></domain>"),
              ::testing::ElementsAre("/d/a.qcow2", "/d/b.qcow2"));
}

TEST(DeviceInDomain, WhatIsNoDomainIsAnError) {
  EXPECT_THROW(find_device("no XML", vsock_device(settings())), Error);
  EXPECT_THROW(find_device("<domain/>", vsock_device(settings())), Error);
}

// ---- The commands as they stand in the guide

using testing::Ended;
using testing::run_program;

TEST(Devices, GuidesOwnLinesSayWhatTheyWouldAdd) {
  const Ended serials = run_program("add-serials", {"--print-xml"}, {"PBOTVM_SERIAL=7777", "PBOTVM_HEART=7778"});
  EXPECT_EQ(serials.status, 0) << serials.err;
  EXPECT_THAT(serials.out, HasSubstr("service='7777'"));
  EXPECT_THAT(serials.out, HasSubstr("service='7778'"));
  const Ended vsock = run_program("add-vsock", {"--qemu"}, {"PBOTVM_CID=42"});
  EXPECT_EQ(vsock.out, "-device vhost-vsock-pci,guest-cid=42\n") << vsock.err;
  EXPECT_EQ(run_program("pbotvm", {"devices", "add-vsock", "--qemu"}, {"PBOTVM_CID=42"}).out, vsock.out);
}

TEST(Devices, WithoutVirshSayWhereItIs) {
  const Ended ended = run_program("add-serials", {}, {"PATH=/nonexistent"});
  EXPECT_EQ(ended.status, 69);
  EXPECT_THAT(ended.err, HasSubstr("libvirt-clients"));
  EXPECT_EQ(ended.err.find('\n'), ended.err.size() - 1);
}

TEST(Devices, WrongUsageAndWrongConfiguration) {
  for (const Words& words : {Words{"devices"},
                             {"devices", "add"},
                             {"devices", "list", "--qemu"},
                             {"devices", "add-vsock", "--xml"},
                             {"devices", "add-vsock", "--qemu", "--print-xml"},
                             {"devices", "add-vsock", "pbot-vm", "too-much"}})
    EXPECT_EQ(run_program("pbotvm", words, {}).status, 64) << ::testing::PrintToString(words);
  EXPECT_EQ(run_program("add-vsock", {"--qemu"}, {"PBOTVM_CID=0"}).status, 78);
  EXPECT_EQ(run_program("add-serials", {"--qemu"}, {"PBOTVM_SERAIL=1"}).status, 78);
  const Ended unknown = run_program("add-vsock", {"other", "--qemu"}, {});
  EXPECT_EQ(unknown.status, 78);
  EXPECT_THAT(unknown.err, HasSubstr("there are pbot-vm"));
}

TEST(Devices, HelpIsUsageOnStandardOutput) {
  const Ended ended = run_program("add-serials", {"--help"}, {});
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, ::testing::StartsWith("usage: "));
}

}  // namespace
}  // namespace pbotvm::cli

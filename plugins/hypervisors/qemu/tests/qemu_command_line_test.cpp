// SPDX-License-Identifier: MIT
#include "qemu_command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace pbotvm::qemu {
namespace {

using ::testing::Contains;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::Not;

CommandLine example() {
  CommandLine line;
  line.binary = "/usr/bin/qemu-system-x86_64";
  line.name = "pbot-vm";
  line.cpu = "max";
  line.memory_mib = 1024;
  line.kernel = 3;
  line.initrd = 4;
  line.rootfs = 5;
  line.kernel_arguments = "console=ttyS0 quiet";
  line.monitor = 6;
  line.qmp = {.listener = 11};
  line.console = {.listener = 7};
  line.console_log = "machines/pbot-vm/console.log";
  line.data = InheritedLine{.listener = 8, .tcp = true};
  line.heart = InheritedLine{.listener = 9, .tcp = true};
  line.virtio = InheritedLine{.listener = 10};
  return line;
}

/// Every value that follows `option`.
std::vector<std::string> values(const std::vector<std::string>& arguments, const std::string& option) {
  std::vector<std::string> found;
  for (std::size_t i = 0; i + 1 < arguments.size(); ++i)
    if (arguments[i] == option) found.push_back(arguments[i + 1]);
  return found;
}

TEST(QemuCommandLine, IsExactlyThisForAnOrdinaryMachine) {
  const std::vector<std::string> expected = {
      "/usr/bin/qemu-system-x86_64",
      "-name",
      "guest=pbot-vm,debug-threads=on",
      "-sandbox",
      "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
      "-nodefaults",
      "-no-user-config",
      "-display",
      "none",
      "-no-reboot",
      "-chardev",
      "socket,id=monitor,fd=6",
      "-mon",
      "chardev=monitor,mode=control",
      "-chardev",
      "socket,id=qmp,fd=11,server=on,wait=off",
      "-mon",
      "chardev=qmp,mode=control",
      "-chardev",
      "socket,id=console,fd=7,server=on,wait=off,logfile=machines/pbot-vm/console.log,logappend=on",
      "-chardev",
      "socket,id=data,fd=8,server=on,wait=off,nodelay=on",
      "-chardev",
      "socket,id=heart,fd=9,server=on,wait=off,nodelay=on",
      "-chardev",
      "socket,id=virtio,fd=10,server=on,wait=off",
      "-add-fd",
      "fd=5,set=1",
      "-blockdev",
      "driver=file,node-name=rootfs-file,filename=/dev/fdset/1,read-only=on,locking=off",
      "-blockdev",
      "driver=raw,node-name=rootfs,file=rootfs-file,read-only=on",
      "-machine",
      "q35,usb=off,sata=off,smbus=off,vmport=off",
      "-accel",
      "tcg",
      "-cpu",
      "max",
      "-m",
      "size=1024M",
      "-smp",
      "cpus=1",
      "-kernel",
      "/proc/self/fd/3",
      "-initrd",
      "/proc/self/fd/4",
      "-append",
      "console=ttyS0 quiet",
      "-device",
      "virtio-blk-pci,id=disk0,drive=rootfs",
      "-device",
      "isa-serial,chardev=console,index=0",
      "-device",
      "isa-serial,chardev=data,index=2",
      "-device",
      "isa-serial,chardev=heart,index=3",
      "-device",
      "virtio-serial-pci,id=serial0,max_ports=2",
      "-device",
      "virtserialport,bus=serial0.0,nr=1,chardev=virtio,name=pbotvm.data",
      "-object",
      "rng-builtin,id=rng0",
      "-device",
      "virtio-rng-pci,rng=rng0",
      "-device",
      "pvpanic-pci",
      "-nic",
      "none"};
  EXPECT_THAT(example().arguments(), ElementsAreArray(expected));
}

TEST(QemuCommandLine, RestoresFromATagOfAFileThatNoDeviceUses) {
  CommandLine line = example();
  line.restore = CommandLine::Restore{"machines/pbot-vm/snapshot.qcow2", "1"};
  const auto arguments = line.arguments();
  EXPECT_THAT(values(arguments, "-loadvm"), ElementsAreArray({"1"}));
  EXPECT_THAT(values(arguments, "-blockdev"),
              Contains("driver=file,node-name=snapshot-file,filename=machines/pbot-vm/snapshot.qcow2"));
  EXPECT_THAT(values(arguments, "-blockdev"), Contains("driver=qcow2,node-name=snapshot,file=snapshot-file"));
  EXPECT_THAT(values(arguments, "-device"), Not(Contains(HasSubstr("snapshot"))));
}

TEST(QemuCommandLine, LeavesOutTheDevicesOfLinesThatThereAreNot) {
  CommandLine line = example();
  line.data.reset();
  line.virtio.reset();
  const auto devices = values(line.arguments(), "-device");
  EXPECT_THAT(devices, Not(Contains(HasSubstr("index=2"))));
  EXPECT_THAT(devices, Not(Contains(HasSubstr("virtio-serial"))));
  EXPECT_THAT(devices, Contains(HasSubstr("index=3")));
}

TEST(QemuCommandLine, GivesAVsockDeviceItsContextIdAndTheKernelsDescriptor) {
  EXPECT_THAT(values(example().arguments(), "-device"), Not(Contains(HasSubstr("vsock"))));
  CommandLine line = example();
  line.vsock = VsockDevice{.cid = 7, .vhost = 11};
  EXPECT_THAT(values(line.arguments(), "-device"), Contains("vhost-vsock-pci,id=vsock0,guest-cid=7,vhostfd=11"));
}

TEST(QemuCommandLine, DoublesCommasInValues) {
  EXPECT_EQ("a,,b", escape_option("a,b"));
  CommandLine line = example();
  line.name = "x,debug-threads=off";
  line.console_log = "a,b.log";
  line.restore = CommandLine::Restore{"c,d.qcow2", "1"};
  const auto arguments = line.arguments();
  EXPECT_THAT(values(arguments, "-name"), ElementsAreArray({"guest=x,,debug-threads=off,debug-threads=on"}));
  EXPECT_THAT(values(arguments, "-chardev"), Contains(HasSubstr("logfile=a,,b.log,")));
  EXPECT_THAT(values(arguments, "-blockdev"), Contains(HasSubstr("filename=c,,d.qcow2")));
}

TEST(QemuCommandLine, PutsTheOperatorsArgumentsLast) {
  CommandLine line = example();
  line.extra = {"-device", "pvpanic"};
  const auto arguments = line.arguments();
  EXPECT_EQ("-device", arguments.at(arguments.size() - 2));
  EXPECT_EQ("pvpanic", arguments.back());
}

TEST(QemuCommandLine, GivesEachDiskAGraphOfItsOwnBehindTheImage) {
  CommandLine line = example();
  line.disks = {{.file = "/srv/a,b.qcow2"}, {.file = "/srv/base.raw", .format = "raw", .read_only = true}};
  const auto arguments = line.arguments();
  const auto nodes = values(arguments, "-blockdev");
  EXPECT_THAT(nodes,
              Contains("driver=file,node-name=disk1-file,filename=/srv/a,,b.qcow2,auto-read-only=on,discard=unmap"));
  EXPECT_THAT(nodes, Contains("driver=qcow2,node-name=disk1,file=disk1-file,discard=unmap"));
  EXPECT_THAT(nodes,
              Contains("driver=file,node-name=disk2-file,filename=/srv/base.raw,auto-read-only=on,read-only=on"));
  EXPECT_THAT(nodes, Contains("driver=raw,node-name=disk2,file=disk2-file,read-only=on"));
  const auto devices = values(arguments, "-device");
  EXPECT_EQ("virtio-blk-pci,id=disk0,drive=rootfs", devices.at(0));
  EXPECT_EQ("virtio-blk-pci,id=disk1-device,drive=disk1", devices.at(1));
  EXPECT_EQ("virtio-blk-pci,id=disk2-device,drive=disk2", devices.at(2));
  EXPECT_THAT(line.writable_nodes(), ElementsAreArray({"disk1"}));
}

TEST(QemuCommandLine, BootsFromTheFirstDiskWhereThereIsNoImage) {
  CommandLine line = example();
  line.boot_disk = true;
  line.disks = {{.file = "/d/system.qcow2"}};
  const auto arguments = line.arguments();
  for (const char* option : {"-kernel", "-initrd", "-append", "-add-fd"})
    EXPECT_TRUE(values(arguments, option).empty()) << option;
  EXPECT_EQ("virtio-blk-pci,id=disk1-device,drive=disk1", values(arguments, "-device").at(0));
}

TEST(QemuCommandLine, WaitsForItsSnapshotWhereADiskCanBeWritten) {
  CommandLine line = example();
  line.restore = CommandLine::Restore{"snapshot.qcow2", "1"};
  line.disks = {{.file = "/srv/base", .read_only = true}};
  EXPECT_THAT(values(line.arguments(), "-loadvm"), ElementsAreArray({"1"}));
  EXPECT_THAT(line.arguments(), Not(Contains("-S")));
  line.disks.push_back({.file = "/srv/data"});
  EXPECT_THAT(line.arguments(), Not(Contains("-loadvm")));
  EXPECT_THAT(line.arguments(), Contains("-S"));
}

TEST(QemuCommandLine, GivesCardsAUserNetworkOrABridgesPort) {
  CommandLine line = example();
  line.nics = {{.mac = "52:54:00:00:00:01", .forwards = {"tcp:127.0.0.1:2222-:22"}},
               {.kind = Nic::Kind::bridge, .mac = "52:54:00:00:00:02", .tap = 12}};
  EXPECT_THAT(values(line.arguments(), "-netdev"),
              ElementsAreArray({"user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:2222-:22", "tap,id=net1,fd=12"}));
  const auto devices = values(line.arguments(), "-device");
  EXPECT_THAT(devices, Contains("virtio-net-pci,id=nic0,netdev=net0,mac=52:54:00:00:00:01,romfile="));
  EXPECT_THAT(devices, Contains("virtio-net-pci,id=nic1,netdev=net1,mac=52:54:00:00:00:02,romfile="));
  EXPECT_THAT(line.arguments(), Not(Contains("-nic")));
  line.nics[0].restricted = false;
  EXPECT_THAT(values(line.arguments(), "-netdev"), Contains("user,id=net0,hostfwd=tcp:127.0.0.1:2222-:22"));
}

TEST(QemuCommandLine, GivesACardTheSameAddressEveryTimeAndEachItsOwn) {
  EXPECT_EQ(usual_mac("a", 0), usual_mac("a", 0));
  EXPECT_NE(usual_mac("a", 0), usual_mac("a", 1));
  EXPECT_NE(usual_mac("a", 0), usual_mac("b", 0));
  EXPECT_THAT(usual_mac("a", 0), HasSubstr("52:54:00:"));
}

TEST(QemuCommandLine, PutsFurtherSerialPortsOnTheFreeIsaPlaceAndThenOnPci) {
  CommandLine line = example();
  line.serials = {{.listener = 20}, {.listener = 21, .tcp = true}};
  EXPECT_THAT(values(line.arguments(), "-chardev"), Contains("socket,id=serial1,fd=20,server=on,wait=off"));
  EXPECT_THAT(values(line.arguments(), "-chardev"), Contains("socket,id=serial2,fd=21,server=on,wait=off,nodelay=on"));
  EXPECT_THAT(values(line.arguments(), "-device"), Contains("isa-serial,chardev=serial1,index=1"));
  EXPECT_THAT(values(line.arguments(), "-device"), Contains("pci-serial,chardev=serial2"));
}

TEST(QemuCommandLine, ShowsAScreenOnASocketOrOnThisSystemsOwnAddress) {
  CommandLine line = example();
  EXPECT_THAT(line.arguments(), Not(Contains("VGA")));
  line.display = {.kind = Display::Kind::vnc, .socket = "m/display.sock"};
  EXPECT_THAT(values(line.arguments(), "-vnc"), ElementsAreArray({"unix:m/display.sock"}));
  EXPECT_THAT(values(line.arguments(), "-device"), Contains("VGA"));
  line.display = {.kind = Display::Kind::vnc, .port = 5907};
  EXPECT_THAT(values(line.arguments(), "-vnc"), ElementsAreArray({"127.0.0.1:7"}));
  line.display = {.kind = Display::Kind::spice, .socket = "m/display.sock"};
  EXPECT_THAT(values(line.arguments(), "-spice"),
              ElementsAreArray({"unix=on,addr=m/display.sock,disable-ticketing=on"}));
  line.display = {.kind = Display::Kind::spice, .port = 5930};
  EXPECT_THAT(values(line.arguments(), "-spice"), ElementsAreArray({"addr=127.0.0.1,port=5930,disable-ticketing=on"}));
}

TEST(QemuCommandLine, HasRandomNumbersAndNoBalloonUnlessToldOtherwise) {
  CommandLine line = example();
  line.rng = false;
  line.balloon = true;
  line.machine = "pc,usb=off";
  EXPECT_THAT(values(line.arguments(), "-device"), Not(Contains(HasSubstr("virtio-rng"))));
  EXPECT_THAT(values(line.arguments(), "-device"), Contains("virtio-balloon-pci,id=balloon0"));
  EXPECT_THAT(values(line.arguments(), "-machine"), ElementsAreArray({"pc,usb=off"}));
}

TEST(QemuCommandLine, WhatTheGuestCanNoticeDoesNotDependOnPortsNamesAndFiles) {
  CommandLine other = example();
  other.binary = "/opt/qemu";
  other.name = "elsewhere";
  other.console_log = "elsewhere/console.log";
  other.data = InheritedLine{.listener = 20};
  other.restore = CommandLine::Restore{"snapshot.qcow2", "1"};
  EXPECT_EQ(example().machine_arguments(), other.machine_arguments());
}

TEST(QemuCommandLine, WhatTheGuestCanNoticeDependsOnEverythingOfTheMachine) {
  std::vector<CommandLine> others(16, example());
  others[0].memory_mib = 512;
  others[1].cpus = 2;
  others[2].cpu = "qemu64";
  others[3].accel = "kvm";
  others[4].kernel_arguments += " debug";
  others[5].extra = {"-device", "pvpanic"};
  others[6].virtio.reset();
  others[7].heart.reset();
  others[8].vsock = VsockDevice{.cid = 7};
  others[9].machine = "pc";
  others[10].rng = false;
  others[11].balloon = true;
  others[12].disks = {{.file = "/srv/a"}};
  others[13].nics = {{.mac = "52:54:00:00:00:01"}};
  others[14].serials = {{}};
  others[15].display = {.kind = Display::Kind::vnc, .port = 5900};
  for (const CommandLine& other : others) EXPECT_NE(example().machine_arguments(), other.machine_arguments());
}

}  // namespace
}  // namespace pbotvm::qemu

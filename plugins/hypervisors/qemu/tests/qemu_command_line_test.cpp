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
  std::vector<CommandLine> others(9, example());
  others[0].memory_mib = 512;
  others[1].cpus = 2;
  others[2].cpu = "qemu64";
  others[3].accel = "kvm";
  others[4].kernel_arguments += " debug";
  others[5].extra = {"-device", "pvpanic"};
  others[6].virtio.reset();
  others[7].heart.reset();
  others[8].vsock = VsockDevice{.cid = 7};
  for (const CommandLine& other : others) EXPECT_NE(example().machine_arguments(), other.machine_arguments());
}

}  // namespace
}  // namespace pbotvm::qemu

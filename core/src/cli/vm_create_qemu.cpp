// SPDX-License-Identifier: MIT

// The machine of a plan as QEMU's arguments, for the time before a host runs it.

#include "cli/device.h"
#include "cli/vm_create_plan.h"

namespace pbotvm::cli {

namespace {

using Arguments = std::vector<std::string>;
using Console = CreateWish::Console;
using Network = CreateWish::Network;

void add(Arguments& to, std::initializer_list<std::string> more) {
  to.insert(to.end(), more);
}

void add_file(Arguments& to, const std::string& node, const std::string& file, const std::string& format,
              const std::string& more) {
  add(to, {"-blockdev", "driver=file,node-name=" + node + "-file,filename=" + option_value(file) + more});
  add(to, {"-blockdev", "driver=" + format + ",node-name=" + node + ",file=" + node + "-file" + more});
}

void add_network(Arguments& to, const CreateWish& wish, Network network) {
  if (network == Network::none) {
    add(to, {"-nic", "none"});
  } else if (network == Network::user) {
    add(to, {"-nic", "user,model=virtio-net-pci"});
  } else {
    add(to, {"-nic", "bridge,br=" + wish.bridge + ",model=virtio-net-pci"});
  }
}

void add_folder(Arguments& to, const std::string& tag, const std::string& folder) {
  add(to, {"-virtfs", "local,path=" + option_value(folder) + ",mount_tag=" + tag + ",security_model=none,readonly=on"});
}

void add_screen(Arguments& to, const CreatePlan& plan) {
  if (plan.wish.console == Console::serial) {
    add(to, {"-nographic", "-serial", "mon:stdio"});
    return;
  }
  const std::string socket = option_value(screen_socket(plan));
  add(to, {"-display", "none", "-device", "virtio-vga", "-device", "qemu-xhci", "-device", "usb-tablet"});
  if (plan.wish.console == Console::spice) {
    add(to, {"-spice", "unix=on,addr=" + socket + ",disable-ticketing=on"});
  } else {
    add(to, {"-vnc", "unix:" + socket});
  }
}

// What both have: the disk is the first one, /dev/vda, as it is when the host runs the machine.
Arguments machine_arguments(const CreatePlan& plan, Network network) {
  Arguments made = {"qemu-system-x86_64", "-name", "guest=" + option_value(plan.machine.domain)};
  add(made, {"-nodefaults", "-no-user-config", "-no-reboot", "-machine", "q35", "-accel", plan.kvm ? "kvm" : "tcg"});
  add(made, {"-cpu", plan.kvm ? "host" : "max", "-m", std::to_string(plan.wish.memory_mib) + "M", "-smp",
             std::to_string(plan.cpus)});
  // The helper that makes a bridge's tap device is run by QEMU here, which `spawn=deny` would end.
  add(made, {"-sandbox", std::string("on,obsolete=deny,resourcecontrol=deny") +
                             (network == Network::bridge ? "" : ",elevateprivileges=deny,spawn=deny")});
  add_file(made, "disk", plan.disk, "qcow2", ",discard=unmap");
  add(made, {"-device", "virtio-blk-pci,drive=disk,bootindex=2"});
  add(made, {"-object", "rng-builtin,id=rng0", "-device", "virtio-rng-pci,rng=rng0"});
  add_network(made, plan.wish, network);
  return made;
}

}  // namespace

std::filesystem::path screen_socket(const CreatePlan& plan) {
  return plan.disk.parent_path() / (plan.machine.name + ".screen");
}

std::vector<std::string> installing_qemu(const CreatePlan& plan, const std::string& kernel, const std::string& initrd) {
  Arguments made = machine_arguments(plan, plan.wish.network);
  add_file(made, "disc", *plan.wish.iso, "raw", ",read-only=on");
  add(made, {"-device", "ide-cd,drive=disc,bootindex=1"});
  if (plan.installer) {
    const auto& own = plan.installer->kernel_arguments;
    add(made,
        {"-kernel", kernel, "-initrd", initrd, "-append", (own.empty() ? "" : own + " ") + "console=ttyS0,115200n8"});
  }
  add_screen(made, plan);
  return made;
}

std::vector<std::string> preparing_qemu(const CreatePlan& plan) {
  const auto network = plan.wish.network == Network::none ? Network::user : plan.wish.network;
  Arguments made = machine_arguments(plan, network);
  // setup-guest with its data, and the guest program that it installs.
  if (!plan.guest_files.empty()) {
    add_folder(made, "pbotvm", plan.guest_files);
    add_folder(made, "pbotvm-bin", program_directory());
  }
  add_screen(made, plan);
  return made;
}

}  // namespace pbotvm::cli

// SPDX-License-Identifier: MIT

// The machine of a plan as virt-install's arguments and as a libvirt domain.

#include <sstream>

#include "cli/device.h"
#include "cli/vm_create_plan.h"

namespace pbotvm::cli {

namespace {

using Console = CreateWish::Console;
using Network = CreateWish::Network;

constexpr std::string_view serial_console = "console=ttyS0,115200n8";

std::string source_options(const Endpoint& line) {
  if (line.kind == Endpoint::Kind::tcp)
    return "type=tcp,source.mode=bind,source.host=" + line.address + ",source.service=" + std::to_string(line.port) +
           ",protocol.type=raw";
  return "type=unix,source.mode=bind,source.path=" + option_value(line.path);
}

void add_devices(std::vector<std::string>& to, const std::vector<Device>& devices) {
  for (const auto& device : devices) {
    switch (device.kind) {
      case Device::Kind::serial:
        to.insert(to.end(), {"--serial", source_options(device.endpoint) +
                                             ",target.type=isa-serial,target.port=" + std::to_string(device.port)});
        break;
      case Device::Kind::virtio_serial:
        to.insert(to.end(),
                  {"--channel", source_options(device.endpoint) + ",target.type=virtio,target.name=pbotvm.data"});
        break;
      case Device::Kind::vsock:
        to.insert(to.end(), {"--vsock", "cid.auto=no,cid.address=" + std::to_string(device.cid)});
        break;
    }
  }
}

void add_source(std::vector<std::string>& to, const CreatePlan& plan) {
  const std::string iso = plan.wish.iso->string();
  if (!plan.installer) {
    to.insert(to.end(), {"--cdrom", iso});
    return;
  }
  const auto& installer = *plan.installer;
  to.insert(to.end(),
            {"--location", option_value(iso) + ",kernel=" + installer.kernel + ",initrd=" + installer.initrd});
  to.insert(to.end(), {"--extra-args", (installer.kernel_arguments.empty() ? "" : installer.kernel_arguments + " ") +
                                           std::string(serial_console)});
}

std::string network_option(const CreateWish& wish) {
  switch (wish.network) {
    case Network::none:
      return "none";
    case Network::user:
      return "user,model=virtio";
    case Network::bridge:
      break;
  }
  return "bridge=" + wish.bridge + ",model=virtio";
}

void add_screen(std::vector<std::string>& to, const CreateWish& wish, bool terminal) {
  if (wish.console == Console::serial) {
    to.insert(to.end(), {"--graphics", "none"});
  } else {
    to.insert(to.end(),
              {"--graphics", wish.console == Console::spice ? "spice,listen=127.0.0.1" : "vnc,listen=127.0.0.1",
               "--video", "virtio"});
  }
  if (!terminal) {
    to.push_back("--noautoconsole");
  } else {
    to.insert(to.end(), {"--autoconsole", wish.console == Console::serial ? "text" : "graphical"});
  }
}

// ---- Of our image

std::string element(const std::string& name, const std::string& attributes, const std::string& indent = "    ") {
  return indent + "<" + name + attributes + "/>\n";
}

std::string text_of(const std::string& value) {
  std::string text;
  for (const char byte : value) {
    if (byte == '&')
      text += "&amp;";
    else if (byte == '<')
      text += "&lt;";
    else
      text += byte;
  }
  return text;
}

std::string disk_xml(const std::string& file, const std::string& format, const std::string& target, bool read_only) {
  return "    <disk type='file' device='disk'>\n      <driver name='qemu'" + xml_attribute("type", format) +
         (read_only ? "" : " discard='unmap'") + "/>\n      <source" + xml_attribute("file", file) +
         "/>\n      <target dev='" + target + "' bus='virtio'/>\n" + (read_only ? "      <readonly/>\n" : "") +
         "    </disk>\n";
}

std::string indented(const std::string& xml) {
  std::istringstream lines(xml);
  std::string text;
  for (std::string line; std::getline(lines, line);) text += "    " + line + "\n";
  return text;
}

std::string screen_xml(Console console) {
  if (console == Console::serial) return {};
  return std::string("    <graphics type='") + (console == Console::spice ? "spice" : "vnc") +
         "' autoport='yes' listen='127.0.0.1'/>\n    <video><model type='virtio'/></video>\n";
}

std::string network_xml(const CreateWish& wish) {
  if (wish.network == Network::none) return {};
  if (wish.network == Network::user) return "    <interface type='user'><model type='virtio'/></interface>\n";
  return "    <interface type='bridge'><source" + xml_attribute("bridge", wish.bridge) +
         "/><model type='virtio'/></interface>\n";
}

std::string boot_xml(const CreatePlan& plan) {
  const auto& image = *plan.wish.image;
  // As the hypervisor qemu starts it: emulated code is found again only at the same address.
  const std::string arguments =
      std::string("console=ttyS0 loglevel=3 panic=-1 nowatchdog") + (plan.kvm ? "" : " norandmaps");
  return "  <os>\n    <type arch='x86_64' machine='q35'>hvm</type>\n    <kernel>" + text_of(image / "vmlinuz") +
         "</kernel>\n    <initrd>" + text_of(image / "initrd") + "</initrd>\n    <cmdline>" + arguments +
         "</cmdline>\n  </os>\n  <features><acpi/></features>\n" +
         (plan.kvm ? "  <cpu mode='host-passthrough'/>\n" : "") +
         "  <on_reboot>destroy</on_reboot>\n  <on_crash>destroy</on_crash>\n";
}

}  // namespace

std::vector<std::string> virt_install_arguments(const CreatePlan& plan, bool terminal) {
  const CreateWish& wish = plan.wish;
  std::vector<std::string> made = {"virt-install", "--connect", plan.uri, "--name", plan.machine.domain};
  if (!plan.uuid.empty()) made.insert(made.end(), {"--metadata", "uuid=" + plan.uuid});
  const auto add = [&made](std::initializer_list<std::string> more) { made.insert(made.end(), more); };
  add({"--memory", std::to_string(wish.memory_mib), "--vcpus", std::to_string(plan.cpus), "--machine", "q35"});
  if (plan.kvm) {
    add({"--virt-type", "kvm", "--cpu", "host-passthrough"});
  } else {
    add({"--virt-type", "qemu"});
  }
  add({"--osinfo", "detect=on,require=off"});
  add({"--disk", "path=" + option_value(plan.disk) + ",format=qcow2,bus=virtio,driver.discard=unmap"});
  add_source(made, plan);
  add({"--network", network_option(wish)});
  // As a serial port: libvirt takes the first of them for the console, and --console would name that one.
  add({"--serial", "pty,target.type=isa-serial,target.port=0"});
  add_devices(made, plan.devices);
  add({"--rng", "builtin", "--panic", "model=isa", "--memballoon", "none"});
  add({"--events", "on_reboot=destroy,on_crash=destroy", "--noreboot"});
  add_screen(made, wish, terminal);
  return made;
}

std::string image_domain_xml(const CreatePlan& plan) {
  const auto& wish = plan.wish;
  std::string xml = std::string("<domain type='") + (plan.kvm ? "kvm" : "qemu") + "'>\n  <name>" +
                    text_of(plan.machine.domain) + "</name>\n" +
                    (plan.uuid.empty() ? "" : "  <uuid>" + plan.uuid + "</uuid>\n") + "  <memory unit='MiB'>" +
                    std::to_string(wish.memory_mib) + "</memory>\n  <vcpu>" + std::to_string(plan.cpus) + "</vcpu>\n" +
                    boot_xml(plan) + "  <devices>\n";
  xml += disk_xml(*wish.image / "rootfs.squashfs", "raw", "vda", true);
  xml += disk_xml(plan.disk, "qcow2", "vdb", false);
  xml += "    <serial type='pty'><target type='isa-serial' port='0'/></serial>\n";
  for (const auto& device : plan.devices) xml += indented(device_xml(device));
  xml += network_xml(wish) + screen_xml(wish.console);
  xml += "    <rng model='virtio'><backend model='builtin'/></rng>\n";
  xml += element("memballoon", " model='none'") + element("panic", " model='isa'");
  return xml + "  </devices>\n</domain>\n";
}

}  // namespace pbotvm::cli

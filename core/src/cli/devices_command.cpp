// SPDX-License-Identifier: MIT
#include "cli/devices_command.h"

#include <algorithm>
#include <iostream>

#include "cli/device.h"
#include "cli/virsh.h"
#include "pbotvm/error.h"

namespace pbotvm::cli {

namespace {

using State = DeviceInDomain::State;

std::vector<Device> devices_of(const std::string& command, const config::MachineConfiguration& machine,
                               const std::filesystem::path& state) {
  if (command == "add-serials") return serial_devices(machine.settings, state);
  if (command == "add-virtio-serial") return {virtio_serial_device(machine.settings, state)};
  if (command == "add-vsock") return {vsock_device(machine.settings)};
  throw UsageError("devices knows add-serials, add-vsock, add-virtio-serial and list, not '" + command + "'");
}

// Whether the domain that runs has it now. An ISA serial port cannot be plugged into a running machine.
bool add_to_running(const Virsh& virsh, const std::string& domain, const Device& device) {
  const auto there = find_device(virsh.running_definition(), device);
  if (there.state == State::present) return true;
  if (there.state == State::conflict || device.kind == Device::Kind::serial) return false;
  virsh.attach_live(device_xml(device));
  std::cout << domain << ": added the " << device_text(device) << " to the domain that runs" << std::endl;
  return true;
}

// All of them are looked at before one is added.
int attach(const config::MachineConfiguration& machine, const std::vector<Device>& devices) {
  const auto& domain = machine.settings.domain;
  const Virsh virsh(machine);
  const std::string definition = virsh.definition();
  std::vector<Device> missing;
  for (const auto& device : devices) {
    const auto found = find_device(definition, device);
    if (found.state == State::conflict)
      throw Error(ErrorCode::refused,
                  "domain '" + domain + "' cannot get the " + device_text(device) + ": " + found.conflict,
                  "remove that with `virsh edit " + domain + "`, or choose other settings");
    if (found.state == State::present) {
      std::cout << domain << ": has the " << device_text(device) << " already\n";
    } else {
      missing.push_back(device);
    }
  }
  for (const auto& device : missing) {
    virsh.attach(device_xml(device));
    std::cout << domain << ": added the " << device_text(device) << std::endl;
  }
  const bool runs = virsh.state() == "running";
  const bool all_there =
      runs && std::ranges::all_of(devices, [&](const Device& device) { return add_to_running(virsh, domain, device); });
  if (missing.empty() && (all_there || !runs)) return 0;
  if (all_there) {
    std::cout
        << "The domain that runs has it too; restart pbotvm-guest in it, which looks for its lines when it starts";
  } else {
    std::cout << (runs ? "The domain runs: shut it down and start it, so that it gets what was added"
                       : "It is there from the next start on");
  }
  std::cout << ". Take snapshot " << machine.settings.snapshot
            << " after that: a snapshot from before brings the domain back without it.\n";
  return 0;
}

std::string state_text(const DeviceInDomain& found) {
  switch (found.state) {
    case State::present:
      return "present";
    case State::missing:
      return "missing";
    case State::conflict:
      break;
  }
  return "in the way: " + found.conflict;
}

int list(const config::MachineConfiguration& machine, const std::filesystem::path& state) {
  const auto& settings = machine.settings;
  std::vector<Device> devices;
  if (settings.serial.kind != Endpoint::Kind::none && settings.heart.kind != Endpoint::Kind::none)
    devices = serial_devices(settings, state);
  if (settings.virtio_serial.kind != Endpoint::Kind::none) devices.push_back(virtio_serial_device(settings, state));
  if (settings.cid > 2) devices.push_back(vsock_device(settings));
  const std::string definition = Virsh(machine).definition();
  for (const auto& device : devices)
    std::cout << settings.domain << ": " << device_text(device) << ": " << state_text(find_device(definition, device))
              << '\n';
  return 0;
}

}  // namespace

int run_devices(const Invocation& invocation) {
  const Options options(invocation.words, {"--print-xml", "--qemu"}, 2);
  const std::string command = options.operand(0);
  if (command.empty()) throw UsageError("devices needs a command");
  const bool as_xml = options.has("--print-xml"), as_qemu = options.has("--qemu");
  if (as_xml && as_qemu) throw UsageError("--print-xml and --qemu exclude each other");
  const auto configuration = load_configuration(invocation.file);
  const auto& machine = machine_of(configuration, options.operand(1));
  if (command == "list") {
    if (as_xml || as_qemu) throw UsageError("list takes no options");
    return list(machine, configuration.state);
  }
  const auto devices = devices_of(command, machine, configuration.state);
  if (as_xml) {
    for (const auto& device : devices) std::cout << device_xml(device);
    return 0;
  }
  if (as_qemu) {
    std::cout << shell_line(qemu_arguments(devices)) << '\n';
    return 0;
  }
  return attach(machine, devices);
}

}  // namespace pbotvm::cli

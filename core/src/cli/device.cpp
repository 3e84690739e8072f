// SPDX-License-Identifier: MIT
#include "cli/device.h"

#include <algorithm>

#include "pbotvm/settings.h"

namespace pbotvm::cli {

namespace {

constexpr int data_port = 2, heart_port = 3;    // ttyS2, ttyS3
constexpr std::uint32_t first_machine_cid = 3;  // vsock(7)
constexpr std::string_view virtio_port_name = "pbotvm.data";

Endpoint usable(const MachineSettings& machine, const Endpoint& endpoint, const char* key,
                const std::filesystem::path& state) {
  if (endpoint.kind == Endpoint::Kind::none)
    throw ConfigurationError("machines." + machine.name + "." + key,
                             "found 0, which is no line; a port, ADDRESS:PORT or unix:PATH is accepted here");
  Endpoint absolute = endpoint;
  if (endpoint.kind == Endpoint::Kind::unix_socket)
    absolute.path = std::filesystem::absolute(state / endpoint.path).lexically_normal();
  return absolute;
}

std::string line_xml(const char* element, const Endpoint& endpoint, const std::string& target) {
  std::string xml = std::string("<") + element;
  if (endpoint.kind == Endpoint::Kind::tcp) {
    xml += " type='tcp'>\n  <source mode='bind'" + xml_attribute("host", endpoint.address) +
           xml_attribute("service", std::to_string(endpoint.port)) + "/>\n  <protocol type='raw'/>\n";
  } else {
    xml += " type='unix'>\n  <source mode='bind'" + xml_attribute("path", endpoint.path) + "/>\n";
  }
  return xml + "  <target " + target + "/>\n</" + element + ">\n";
}

std::string chardev(const Device& device) {
  const Endpoint& endpoint = device.endpoint;
  std::string value = "socket,id=" + device.name;
  if (endpoint.kind == Endpoint::Kind::tcp) {
    value += ",host=" + endpoint.address + ",port=" + std::to_string(endpoint.port) + ",server=on,wait=off,nodelay=on";
  } else {
    value += ",path=" + option_value(endpoint.path) + ",server=on,wait=off";
  }
  return value;
}

}  // namespace

std::string option_value(const std::string& value) {
  std::string text;
  for (const char byte : value) text.append(byte == ',' ? 2 : 1, byte);
  return text;
}

std::string xml_attribute(std::string_view name, std::string_view value) {
  std::string text = " " + std::string(name) + "='";
  for (const char byte : value) {
    switch (byte) {
      case '&':
        text += "&amp;";
        break;
      case '<':
        text += "&lt;";
        break;
      case '\'':
        text += "&apos;";
        break;
      default:
        text += byte;
    }
  }
  return text + "'";
}

std::vector<Device> serial_devices(const MachineSettings& machine, const std::filesystem::path& state) {
  return {{Device::Kind::serial, "data", usable(machine, machine.serial, "serial", state), data_port},
          {Device::Kind::serial, "heart", usable(machine, machine.heart, "heart", state), heart_port}};
}

Device virtio_serial_device(const MachineSettings& machine, const std::filesystem::path& state) {
  return {Device::Kind::virtio_serial, "virtio", usable(machine, machine.virtio_serial, "virtio_serial", state)};
}

Device vsock_device(const MachineSettings& machine) {
  if (machine.cid < first_machine_cid)
    throw ConfigurationError(
        "machines." + machine.name + ".cid",
        "found " + std::to_string(machine.cid) +
            ", which is no machine's; a number from 3 on, unique on this system, is accepted here");
  return {Device::Kind::vsock, "vsock", {}, 0, machine.cid};
}

std::string device_xml(const Device& device) {
  switch (device.kind) {
    case Device::Kind::serial:
      return line_xml("serial", device.endpoint, "type='isa-serial' port='" + std::to_string(device.port) + "'");
    case Device::Kind::virtio_serial:
      return line_xml("channel", device.endpoint, "type='virtio'" + xml_attribute("name", virtio_port_name));
    case Device::Kind::vsock:
      break;
  }
  return "<vsock model='virtio'>\n  <cid auto='no' address='" + std::to_string(device.cid) + "'/>\n</vsock>\n";
}

std::vector<std::string> qemu_arguments(const std::vector<Device>& devices) {
  std::vector<std::string> made;
  const auto add = [&made](std::initializer_list<std::string> more) { made.insert(made.end(), more); };
  for (const auto& device : devices) {
    switch (device.kind) {
      case Device::Kind::serial:
        add({"-chardev", chardev(device), "-device",
             "isa-serial,chardev=" + device.name + ",index=" + std::to_string(device.port)});
        break;
      case Device::Kind::virtio_serial:
        add({"-device", "virtio-serial-pci,id=serial0", "-chardev", chardev(device), "-device",
             "virtserialport,bus=serial0.0,chardev=" + device.name + ",name=" + std::string(virtio_port_name)});
        break;
      case Device::Kind::vsock:
        add({"-device", "vhost-vsock-pci,guest-cid=" + std::to_string(device.cid)});
        break;
    }
  }
  return made;
}

std::string shell_line(const std::vector<std::string>& words) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,=+@%";
  std::string line;
  for (const auto& word : words) {
    if (!line.empty()) line += ' ';
    if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char byte : word) line += byte == '\'' ? "'\\''" : std::string(1, byte);
    line += '\'';
  }
  return line;
}

std::string device_text(const Device& device) {
  switch (device.kind) {
    case Device::Kind::serial:
      return "serial line " + device.name + ", " + device.endpoint.text() + ", ttyS" + std::to_string(device.port) +
             " in the guest";
    case Device::Kind::virtio_serial:
      return "virtio-serial port " + std::string(virtio_port_name) + ", " + device.endpoint.text();
    case Device::Kind::vsock:
      break;
  }
  return "vsock, context id " + std::to_string(device.cid);
}

}  // namespace pbotvm::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "pbotvm/machine_settings.h"

namespace pbotvm::cli {

/// A device that a machine needs so that its host reaches the guest.
struct Device {
  enum class Kind {
    serial,         ///< isa-serial, a line to its own endpoint
    virtio_serial,  ///< virtio-serial port
    vsock,          ///< VM socket
  };
  Kind kind;
  std::string name;       ///< "data", "heart", "virtio", "vsock": for people, and as QEMU's id
  Endpoint endpoint;      ///< not of a vsock
  int port = 0;           ///< serial: 2 is ttyS2 in the guest
  std::uint32_t cid = 0;  ///< vsock
};

/// The two serial lines; throws ConfigurationError when one of them has no endpoint. Socket paths are made absolute
/// below `state`.
std::vector<Device> serial_devices(const MachineSettings& machine, const std::filesystem::path& state);
/// Throws ConfigurationError where the settings have none.
Device virtio_serial_device(const MachineSettings& machine, const std::filesystem::path& state);
/// Throws ConfigurationError for a context id below 3, which is no machine's.
Device vsock_device(const MachineSettings& machine);

/// The device as libvirt has it: https://libvirt.org/formatdomain.html, "Consoles, serial, parallel & channel devices"
/// and "Vsock". Ends with a newline.
std::string device_xml(const Device& device);

/// QEMU's arguments for these devices, qemu(1).
std::vector<std::string> qemu_arguments(const std::vector<Device>& devices);

/// As the value of an option of QEMU or virt-install, in whose lists a comma separates.
std::string option_value(const std::string& value);

/// An attribute of an XML element, with a space in front: " path='a&amp;b'".
std::string xml_attribute(std::string_view name, std::string_view value);

/// The files of a domain's disks that it may write, in the order of its XML. Throws Error{protocol} when that cannot be
/// read.
std::vector<std::string> written_files(const std::string& domain_xml);

/// One line for a shell.
std::string shell_line(const std::vector<std::string>& words);

/// "serial line data, 127.0.0.1:5555, ttyS2 in the guest"
std::string device_text(const Device& device);

/// How a domain has a device.
struct DeviceInDomain {
  enum class State { missing, present, conflict };
  State state = State::missing;
  std::string conflict{};  ///< what stands in its place
};

/// Looks for a device in a domain's XML. Throws Error{protocol} when that cannot be read.
DeviceInDomain find_device(const std::string& domain_xml, const Device& device);

}  // namespace pbotvm::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pbotvm::qemu {

inline constexpr const char* default_machine = "q35,usb=off,sata=off,smbus=off,vmport=off";
inline constexpr std::size_t most_disks = 16;     ///< beside the guest image
inline constexpr std::size_t most_nics = 8;       ///< network cards
inline constexpr std::size_t most_forwards = 16;  ///< ports of one card that are handed on to the guest
inline constexpr std::size_t most_serials = 5;    ///< serial ports beside the host's own

/// A disk of the operator, /dev/vdb and on. Its backing files are named by itself.
struct Disk {
  std::string file;  ///< absolute
  std::string format = "qcow2";
  bool read_only = false;
  std::string position{};  ///< where it is configured, for complaints
};

/// A network card.
struct Nic {
  enum class Kind {
    user,    ///< QEMU's own network behind an address translation; needs no privileges
    bridge,  ///< a port of a bridge of this system
  };
  Kind kind = Kind::user;
  std::string mac{};                    ///< empty in the settings: usual_mac()
  bool restricted = true;               ///< user: the guest reaches nothing but what is forwarded to it
  std::vector<std::string> forwards{};  ///< user: "tcp:127.0.0.1:2222-:22"
  std::string bridge{};                 ///< bridge: its name
  std::string helper{};                 ///< bridge: path of qemu-bridge-helper; empty: where the distributions have it
  int tap = -1;                         ///< bridge: descriptor number in QEMU
  std::string position{};               ///< where it is configured, for complaints
};

/// The address of a machine's card, the first one counted 0: the same one whenever the host starts.
std::string usual_mac(const std::string& machine, std::size_t index);

/// A screen to look at.
struct Display {
  enum class Kind { none, vnc, spice };
  Kind kind = Kind::none;
  std::string socket{};    ///< Unix socket, relative to STATE or absolute; empty: the port
  std::uint16_t port = 0;  ///< TCP, on 127.0.0.1
};

}  // namespace pbotvm::qemu

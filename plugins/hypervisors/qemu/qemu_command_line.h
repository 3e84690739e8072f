// SPDX-License-Identifier: MIT
#pragma once

// QEMU's argument list as a value. https://www.qemu.org/docs/master/system/invocation.html

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "devices.h"

namespace pbotvm::qemu {

inline constexpr std::string_view virtio_port_name =
    "pbotvm.data";                                             ///< of the virtio-serial port, as the guest sees it
inline constexpr std::string_view snapshot_node = "snapshot";  ///< block node that keeps the saved machine

/// A line between host and guest: a listening socket that QEMU inherits.
struct InheritedLine {
  int listener = -1;  ///< descriptor number in QEMU
  bool tcp = false;   ///< small writes then must not wait for the acknowledgement of earlier ones
};

/// A vsock device, whose other end is the kernel's.
struct VsockDevice {
  std::uint32_t cid = 0;  ///< context id, from 3 on
  int vhost = -1;         ///< descriptor of /dev/vhost-vsock
};

/// What a QEMU process is started with. Descriptor numbers are those in the QEMU process.
struct CommandLine {
  std::string binary;
  std::string name;                       ///< for `ps` and QEMU's own messages
  std::string machine = default_machine;  ///< type and options
  std::string accel = "tcg";              ///< "kvm" or "tcg"
  std::string cpu;                        ///< model, with features: "max,-avx512f"
  std::uint64_t memory_mib = 0;
  int cpus = 1;
  bool boot_disk = false;  ///< there is no guest image: the first of the disks is booted from
  int kernel = -1;         ///< descriptor
  int initrd = -1;         ///< descriptor
  int rootfs = -1;         ///< descriptor, opened for reading only
  std::string kernel_arguments;
  /// Descriptor of the host's monitor: one end of a connected socket pair, or, where there is an identity, a listening
  /// socket that another host can connect to later.
  int monitor = -1;
  std::string identity;                 ///< of this QEMU process: a word that no other one has in its arguments
  InheritedLine qmp;                    ///< a second monitor, for operators
  InheritedLine console;                ///< guest ttyS0
  std::string console_log;              ///< file to which the console's output is appended
  std::optional<InheritedLine> data;    ///< guest ttyS2
  std::optional<InheritedLine> heart;   ///< guest ttyS3
  std::optional<InheritedLine> virtio;  ///< virtio-serial port
  std::vector<InheritedLine> serials;   ///< guest ttyS1, then ttyS4 and on
  std::optional<VsockDevice> vsock;
  std::vector<Disk> disks;  ///< guest /dev/vdb and on
  std::vector<Nic> nics;
  Display display;
  bool rng = true;
  bool balloon = false;
  std::vector<std::string> extra;  ///< further arguments of the operator, last

  /// Where to start from a snapshot: the file that holds it, and its tag. Where disks can be written QEMU itself would
  /// look for the saved machine in the first of them: it then waits, stopped, for `snapshot-load` and `cont`.
  struct Restore {
    std::string file;
    std::string tag;
  };
  std::optional<Restore> restore;

  /// Block nodes of the disks that can be written: they are saved and put back together with the machine.
  std::vector<std::string> writable_nodes() const;

  /// The whole argument vector, the binary first.
  std::vector<std::string> arguments() const;

  /// The part of it that the guest can notice: a snapshot fits only a machine where this is the same.
  std::vector<std::string> machine_arguments() const;
};

/// A value inside QEMU's comma-separated options: commas are doubled.
std::string escape_option(std::string_view value);

}  // namespace pbotvm::qemu

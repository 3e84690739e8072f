// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "devices.h"
#include "pbotvm/endpoint.h"
#include "pbotvm/settings.h"

namespace pbotvm::qemu {

/// What executes the guest's code.
enum class Acceleration { automatic, kvm, tcg };

/// The map `machines.NAME.hypervisor` of this back end, checked.
struct QemuSettings {
  std::uint64_t memory_mib = 0;  ///< of the guest
  int cpus = 1;  ///< `auto`, the default, is as many as this system has, at most 8; 1 without hardware virtualisation
  Acceleration accel = Acceleration::automatic;
  std::string cpu;               ///< empty: what suits the acceleration
  std::filesystem::path binary;  ///< absolute
  std::string machine = default_machine;
  bool boot_disk = false;  ///< from the first of its disks, instead of from a guest image
  std::vector<Disk> disks;
  std::vector<Nic> nics;
  std::vector<Endpoint> serials;  ///< beside those of the host
  Display display;
  bool rng = true;
  bool balloon = false;
  bool outlive = false;            ///< QEMU goes on when the host ends, and the next host takes it over
  std::vector<std::string> extra;  ///< arguments of the operator
  std::string append;              ///< kernel arguments of the operator
};

/// Throws ConfigurationError at the first key or value that is not understood, and when the binary cannot be found.
/// `path` is what PATH holds, where the binary is looked up.
QemuSettings read_settings(const Settings& settings, const std::string& path);

/// KVM where the processor has it and /dev/kvm can be opened by this user now, else TCG. An explicit choice stands.
Acceleration choose_acceleration(Acceleration wanted);

/// "kvm" or "tcg".
std::string acceleration_name(Acceleration chosen);

/// The processor model where none was configured.
std::string default_cpu(Acceleration chosen);

/// What the guest's kernel is told, before the operator's own arguments.
std::string default_kernel_arguments(Acceleration chosen);

/// "model name" of this system's processor: under KVM a snapshot fits only the processor that it was taken on.
std::string host_processor();

}  // namespace pbotvm::qemu

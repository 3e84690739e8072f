// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/device.h"
#include "cli/vm_create_iso.h"
#include "cli/vm_create_options.h"
#include "config/configuration.h"

namespace pbotvm::cli {

/// A machine that is to be made: everything is decided, nothing is done.
struct CreatePlan {
  CreateWish wish;
  MachineSettings machine;      ///< name, domain and lines
  bool configured = false;      ///< the settings have a machine of this name
  bool libvirt = false;         ///< else plain QEMU
  std::string uri;              ///< of libvirt
  std::string uuid;             ///< of the domain, by which it is known for the one made here; empty: libvirt chooses
  std::string user;             ///< whom a host that root starts becomes
  std::filesystem::path disk;   ///< absolute; empty where the machine needs none
  std::uint64_t disk_size = 0;  ///< bytes
  bool kvm = false;             ///< hardware virtualisation works here
  unsigned cpus = 1;
  std::vector<Device> devices;            ///< libvirt: the lines that the domain gets
  std::optional<IsoInstaller> installer;  ///< what is started on the serial console instead of the ISO's boot menu
  std::filesystem::path guest_files;      ///< setup-guest and its data, empty where they are not installed
};

/// Decides; looks at files, ports of the configuration and devices. Throws Error, ConfigurationError.
CreatePlan plan_machine(const config::Configuration& configuration, const CreateWish& wish);

/// virt-install(1); `terminal`: it shows the console and comes back when that is left.
std::vector<std::string> virt_install_arguments(const CreatePlan& plan, bool terminal);

/// The domain of a machine of our image: https://libvirt.org/formatdomain.html
std::string image_domain_xml(const CreatePlan& plan);

/// QEMU with the installer's disc and the new disk, on this terminal or on the screen's socket, qemu(1). `kernel` and
/// `initrd` are those of plan.installer, as files.
std::vector<std::string> installing_qemu(const CreatePlan& plan, const std::string& kernel, const std::string& initrd);

/// The same machine without the disc, to prepare it: with a network, setup-guest to be mounted as "pbotvm", and the
/// guest program in "pbotvm-bin".
std::vector<std::string> preparing_qemu(const CreatePlan& plan);

/// Where the screen of installing_qemu() is, absolute.
std::filesystem::path screen_socket(const CreatePlan& plan);

/// The machine as pbotvm.yaml has it.
std::string settings_yaml(const CreatePlan& plan);

}  // namespace pbotvm::cli

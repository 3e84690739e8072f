// SPDX-License-Identifier: MIT

// Hypervisor `qemu`: a machine that is a QEMU process of this host, without anything in between.

#include <chrono>
#include <cstdlib>

#include "bridge_helper.h"
#include "disk_claims.h"
#include "line_claims.h"
#include "pbotvm/plugin.h"
#include "pbotvm/settings_check.h"
#include "qemu_hypervisor.h"

namespace pbotvm::qemu {
namespace {

constexpr auto helper_time = std::chrono::seconds(10);

class QemuFactory : public HypervisorFactory, public SettingsCheck {
 public:
  std::vector<std::string> check(const MachineSettings& machine, const Settings& settings) override {
    const QemuSettings checked = read(machine, settings);
    open_image_of(machine, checked);
    std::vector<std::string> unknown;
    for (const Nic& nic : checked.nics)
      if (nic.kind == Nic::Kind::bridge) unknown.push_back("bridge " + nic.bridge + " is joined at a start only");
    return unknown;
  }

  std::unique_ptr<Hypervisor> create(const MachineSettings& machine, const Settings& settings) override {
    QemuSettings read = this->read(machine, settings);
    GuestImage image = open_image_of(machine, read);
    std::vector<UniqueFd> taps = open_taps(machine.name, read.nics);
    return std::make_unique<QemuHypervisor>(machine, std::move(read), std::move(image), std::move(taps));
  }

 private:
  /// With everything that can be wrong with them. The claims are this process' own: no file is locked.
  QemuSettings read(const MachineSettings& machine, const Settings& settings) {
    const char* path = std::getenv("PATH");
    QemuSettings read = read_settings(settings, path == nullptr ? "" : path);
    lines_.claim(machine, read);
    disks_.claim(machine.name, read.disks);
    return read;
  }

  /// None of it where the machine is booted from its own disk.
  static GuestImage open_image_of(const MachineSettings& machine, const QemuSettings& read) {
    if (read.boot_disk) return {};
    return open_image(machine.image, "machines." + machine.name + ".image");
  }

  /// Here, as it may take the privileges that the host was started with.
  static std::vector<UniqueFd> open_taps(const std::string& machine, const std::vector<Nic>& nics) {
    std::vector<UniqueFd> taps;
    for (const Nic& nic : nics) {
      if (nic.kind != Nic::Kind::bridge) continue;
      try {
        taps.push_back(open_bridge_port(nic.bridge, nic.helper, Deadline::in(helper_time)));
      } catch (const Error& error) {
        throw Error(error.code(), nic.position + ": machine '" + machine + "': " + error.what());
      }
    }
    return taps;
  }

  DiskClaims disks_;
  LineClaims lines_;
};

}  // namespace
}  // namespace pbotvm::qemu

PBOTVM_PLUGIN("hypervisor", "qemu", PBOTVM_VERSION, pbotvm::HypervisorFactory, pbotvm::qemu::QemuFactory)

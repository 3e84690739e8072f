// SPDX-License-Identifier: MIT

// Hypervisor `qemu`: a machine that is a QEMU process of this host, without anything in between.

#include <chrono>
#include <cstdlib>

#include "bridge_helper.h"
#include "disk_claims.h"
#include "pbotvm/plugin.h"
#include "qemu_hypervisor.h"

namespace pbotvm::qemu {
namespace {

constexpr auto helper_time = std::chrono::seconds(10);

class QemuFactory : public HypervisorFactory {
 public:
  std::unique_ptr<Hypervisor> create(const MachineSettings& machine, const Settings& settings) override {
    const char* path = std::getenv("PATH");
    QemuSettings read = read_settings(settings, path == nullptr ? "" : path);
    check_lines(machine, read);
    claims_.claim(machine.name, read.disks);
    GuestImage image = open_image(machine.image, "machines." + machine.name + ".image");
    std::vector<UniqueFd> taps = open_taps(machine.name, read.nics);
    return std::make_unique<QemuHypervisor>(machine, std::move(read), std::move(image), std::move(taps));
  }

 private:
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

  static void check_lines(const MachineSettings& machine, const QemuSettings& settings) {
    for (const Endpoint& endpoint : settings.serials)
      if (endpoint == machine.serial || endpoint == machine.heart || endpoint == machine.virtio_serial)
        throw ConfigurationError("machines." + machine.name + ".hypervisor.serials",
                                 endpoint.text() + " is a line of this machine already; give it another one");
  }

  DiskClaims claims_;
};

}  // namespace
}  // namespace pbotvm::qemu

PBOTVM_PLUGIN("hypervisor", "qemu", PBOTVM_VERSION, pbotvm::HypervisorFactory, pbotvm::qemu::QemuFactory)

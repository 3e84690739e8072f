// SPDX-License-Identifier: MIT

// Hypervisor `qemu`: a machine that is a QEMU process of this host, without anything in between.

#include <cstdlib>

#include "pbotvm/plugin.h"
#include "qemu_hypervisor.h"

namespace pbotvm::qemu {
namespace {

class QemuFactory : public HypervisorFactory {
 public:
  std::unique_ptr<Hypervisor> create(const MachineSettings& machine, const Settings& settings) override {
    const char* path = std::getenv("PATH");
    QemuSettings read = read_settings(settings, path == nullptr ? "" : path);
    GuestImage image = open_image(machine.image, "machines." + machine.name + ".image");
    return std::make_unique<QemuHypervisor>(machine, std::move(read), std::move(image));
  }
};

}  // namespace
}  // namespace pbotvm::qemu

PBOTVM_PLUGIN("hypervisor", "qemu", PBOTVM_VERSION, pbotvm::HypervisorFactory, pbotvm::qemu::QemuFactory)

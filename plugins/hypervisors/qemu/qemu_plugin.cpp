// SPDX-License-Identifier: MIT

// Hypervisor `qemu`: a machine that is a QEMU process of this host, without anything in between.

#include "pbotvm/plugin.h"
#include "qemu_hypervisor.h"

namespace pbotvm::qemu {
namespace {

class QemuFactory : public HypervisorFactory {
 public:
  std::unique_ptr<Hypervisor> create(const MachineSettings& machine, const Settings& settings) override {
    QemuSettings read = read_settings(settings, process_surroundings());
    GuestImage image = open_image(read.image, read.image_origin);
    return std::make_unique<QemuHypervisor>(machine, std::move(read), std::move(image));
  }
};

}  // namespace
}  // namespace pbotvm::qemu

PBOTVM_PLUGIN("hypervisor", "qemu", PBOTVM_VERSION, pbotvm::HypervisorFactory, pbotvm::qemu::QemuFactory)

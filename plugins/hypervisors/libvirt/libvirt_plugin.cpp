// SPDX-License-Identifier: MIT

// Hypervisor `libvirt`: a machine that is a domain of libvirt.

#include "libvirt_hypervisor.h"
#include "pbotvm/plugin.h"

namespace pbotvm::libvirt {
namespace {

class LibvirtFactory : public HypervisorFactory {
 public:
  std::unique_ptr<Hypervisor> create(const MachineSettings& machine, const Settings& settings) override {
    LibvirtSettings read = read_settings(settings);
    if (!loop_) loop_ = std::make_shared<EventLoop>();
    return std::make_unique<LibvirtHypervisor>(machine, std::move(read), loop_);
  }

 private:
  std::shared_ptr<EventLoop> loop_;  // shared with every machine
};

}  // namespace
}  // namespace pbotvm::libvirt

PBOTVM_PLUGIN("hypervisor", "libvirt", PBOTVM_VERSION, pbotvm::HypervisorFactory, pbotvm::libvirt::LibvirtFactory)

// SPDX-License-Identifier: MIT

// Hypervisor `libvirt`: a machine that is a domain of libvirt.

#include <map>
#include <utility>

#include "libvirt_hypervisor.h"
#include "pbotvm/plugin.h"
#include "pbotvm/settings_check.h"

namespace pbotvm::libvirt {
namespace {

class LibvirtFactory : public HypervisorFactory, public SettingsCheck {
 public:
  std::vector<std::string> check(const MachineSettings& machine, const Settings& settings) override {
    read(machine, settings);
    return {};
  }
  std::unique_ptr<Hypervisor> create(const MachineSettings& machine, const Settings& settings) override {
    LibvirtSettings read = this->read(machine, settings);
    if (!loop_) loop_ = std::make_shared<EventLoop>();
    return std::make_unique<LibvirtHypervisor>(machine, std::move(read), loop_);
  }

 private:
  LibvirtSettings read(const MachineSettings& machine, const Settings& settings) {
    LibvirtSettings read = read_settings(settings);
    const auto [owner, fresh] = owners_.emplace(std::pair(read.uri, machine.domain), machine.name);
    if (!fresh && owner->second != machine.name)
      throw ConfigurationError("machines." + machine.name + ".domain",
                               "domain '" + machine.domain + "' of " + read.uri + " is that of machine '" +
                                   owner->second + "' already; give each a domain of its own");
    return read;
  }

  std::map<std::pair<std::string, std::string>, std::string> owners_;  // of a connection's domain: the machine
  std::shared_ptr<EventLoop> loop_;                                    // shared with every machine
};

}  // namespace
}  // namespace pbotvm::libvirt

PBOTVM_PLUGIN("hypervisor", "libvirt", PBOTVM_VERSION, pbotvm::HypervisorFactory, pbotvm::libvirt::LibvirtFactory)

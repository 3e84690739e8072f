// SPDX-License-Identifier: MIT

// Hypervisor `none`: someone else starts the machine and keeps it running. It has no settings of its own.

#include "pbotvm/hypervisor.h"
#include "pbotvm/plugin.h"
#include "pbotvm/settings_check.h"

namespace pbotvm::hypervisors {
namespace {

class NoneHypervisor : public Hypervisor {
 public:
  HypervisorAbilities abilities() const noexcept override { return {}; }
  Started start(const Deadline&) override { return Started::restored; }
  bool running() noexcept override { return true; }
  void take_snapshot(const Deadline&) override { refuse("saved"); }
  void revert(const Deadline&) override { refuse("reverted"); }
  void stop(const Deadline&) noexcept override {}
  std::string description() const override { return "none, someone else runs the machine"; }
  void* extension(std::string_view) override { return nullptr; }

 private:
  [[noreturn]] static void refuse(const std::string& what) {
    throw Error(ErrorCode::refused, "a machine with the hypervisor 'none' cannot be " + what,
                "set revert: never, or name a hypervisor that owns the machine");
  }
};

class NoneFactory : public HypervisorFactory, public SettingsCheck {
 public:
  std::vector<std::string> check(const MachineSettings&, const Settings& settings) override {
    settings.accept_only({"plugin"});
    return {};
  }
  std::unique_ptr<Hypervisor> create(const MachineSettings& machine, const Settings& settings) override {
    check(machine, settings);
    return std::make_unique<NoneHypervisor>();
  }
};

}  // namespace
}  // namespace pbotvm::hypervisors

PBOTVM_PLUGIN("hypervisor", "none", PBOTVM_VERSION, pbotvm::HypervisorFactory, pbotvm::hypervisors::NoneFactory)

// SPDX-License-Identifier: MIT

// Transport `vsock`: VM sockets, to machines.NAME.cid and .vport. It has no settings of its own.

#include "pbotvm/plugin.h"
#include "pbotvm/settings_check.h"
#include "vsock_transport.h"

namespace pbotvm::transports {
namespace {

class VsockFactory : public TransportFactory, public SettingsCheck {
 public:
  std::vector<std::string> check(const MachineSettings& machine, const Settings& settings) override {
    create(machine, settings);  // opens nothing before connect()
    return {};
  }
  std::unique_ptr<Transport> create(const MachineSettings& machine, const Settings& settings) override {
    settings.accept_only({"plugin"});
    if (machine.cid == 0)
      settings.fail("transport 'vsock' of machine '" + machine.name +
                    "' is turned off by its cid, which is 0: set machines." + machine.name +
                    ".cid to a number from 3 on, or do not use this transport");
    return std::make_unique<VsockTransport>(machine.cid, machine.vport);
  }
};

}  // namespace
}  // namespace pbotvm::transports

PBOTVM_PLUGIN("transport", "vsock", PBOTVM_VERSION, pbotvm::TransportFactory, pbotvm::transports::VsockFactory)

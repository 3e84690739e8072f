// SPDX-License-Identifier: MIT

// Transport `serial`: the data serial line of a machine, ttyS2 in its guest. It has no settings of its own.

#include "endpoint_transport.h"
#include "pbotvm/plugin.h"
#include "pbotvm/settings_check.h"

namespace pbotvm::transports {
namespace {

class SerialFactory : public TransportFactory, public SettingsCheck {
 public:
  std::vector<std::string> check(const MachineSettings& machine, const Settings& settings) override {
    create(machine, settings);  // opens nothing before connect()
    return {};
  }
  std::unique_ptr<Transport> create(const MachineSettings& machine, const Settings& settings) override {
    settings.accept_only({"plugin"});
    return std::make_unique<EndpointTransport>(demand_endpoint(machine.serial, machine, settings, "serial", "serial"));
  }
};

}  // namespace
}  // namespace pbotvm::transports

PBOTVM_PLUGIN("transport", "serial", PBOTVM_VERSION, pbotvm::TransportFactory, pbotvm::transports::SerialFactory)

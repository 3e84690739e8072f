// SPDX-License-Identifier: MIT

// Transport `virtio-serial`: the virtio-serial port "pbotvm.data" of a machine. It has no settings of its own.

#include "../serial/endpoint_transport.h"
#include "pbotvm/plugin.h"
#include "pbotvm/settings_check.h"

namespace pbotvm::transports {
namespace {

class VirtioSerialFactory : public TransportFactory, public SettingsCheck {
 public:
  std::vector<std::string> check(const MachineSettings& machine, const Settings& settings) override {
    create(machine, settings);  // opens nothing before connect()
    return {};
  }
  std::unique_ptr<Transport> create(const MachineSettings& machine, const Settings& settings) override {
    settings.accept_only({"plugin"});
    return std::make_unique<EndpointTransport>(
        demand_endpoint(machine.virtio_serial, machine, settings, "virtio-serial", "virtio_serial"));
  }
};

}  // namespace
}  // namespace pbotvm::transports

PBOTVM_PLUGIN("transport", "virtio-serial", PBOTVM_VERSION, pbotvm::TransportFactory,
              pbotvm::transports::VirtioSerialFactory)

// SPDX-License-Identifier: MIT

// Transport `heartbeat`: the heartbeat line of a machine, ttyS3 in its guest. Its key `mode` is beat or poll.

#include "../serial/endpoint_transport.h"
#include "heartbeat_reader.h"
#include "pbotvm/plugin.h"
#include "pbotvm/settings_check.h"

namespace pbotvm::transports {
namespace {

class HeartbeatTransport : public EndpointTransport {
 public:
  HeartbeatTransport(const Endpoint& endpoint, HeartbeatMode mode) : EndpointTransport(endpoint), reader_(mode) {}

  void* extension(std::string_view identifier) override {
    return identifier == SignsOfLife::identifier ? static_cast<SignsOfLife*>(&reader_) : nullptr;
  }

 private:
  HeartbeatReader reader_;
};

HeartbeatMode read_mode(const Settings& settings) {
  const auto node = settings.find("mode");
  if (!node) return HeartbeatMode::beat;
  const std::string text = node->text();
  if (text == "beat") return HeartbeatMode::beat;
  if (text == "poll") return HeartbeatMode::poll;
  node->fail("mode is '" + text + "', accepted are beat (the guest writes on its own) and poll (it only answers)");
}

class HeartbeatFactory : public TransportFactory, public SettingsCheck {
 public:
  std::vector<std::string> check(const MachineSettings& machine, const Settings& settings) override {
    create(machine, settings);  // opens nothing before connect()
    return {};
  }
  std::unique_ptr<Transport> create(const MachineSettings& machine, const Settings& settings) override {
    settings.accept_only({"plugin", "mode"});
    return std::make_unique<HeartbeatTransport>(demand_endpoint(machine.heart, machine, settings, "heartbeat", "heart"),
                                                read_mode(settings));
  }
};

}  // namespace
}  // namespace pbotvm::transports

PBOTVM_PLUGIN("transport", "heartbeat", PBOTVM_VERSION, pbotvm::TransportFactory, pbotvm::transports::HeartbeatFactory)

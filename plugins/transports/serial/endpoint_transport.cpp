// SPDX-License-Identifier: MIT
#include "endpoint_transport.h"

#include <utility>

namespace pbotvm::transports {

EndpointTransport::EndpointTransport(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

UniqueFd EndpointTransport::connect(const Deadline& deadline) {
  return connect_endpoint(endpoint_, deadline);
}

std::string EndpointTransport::description() const {
  return endpoint_.text();
}

const Endpoint& demand_endpoint(const Endpoint& endpoint, const MachineSettings& machine, const Settings& settings,
                                std::string_view transport, std::string_view key) {
  if (endpoint.kind == Endpoint::Kind::none)
    settings.fail("transport '" + std::string(transport) + "' of machine '" + machine.name +
                  "' has nowhere to connect to: set machines." + machine.name + "." + std::string(key) +
                  " to a port or unix:PATH, or do not use this transport");
  return endpoint;
}

}  // namespace pbotvm::transports

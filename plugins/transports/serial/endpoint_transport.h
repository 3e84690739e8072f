// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "pbotvm/transport.h"

namespace pbotvm::transports {

/// A line of a machine that meets the host at an endpoint: the whole of the transports `serial` and `virtio-serial`,
/// and the connecting half of `heartbeat`.
class EndpointTransport : public Transport {
 public:
  explicit EndpointTransport(Endpoint endpoint);

  UniqueFd connect(const Deadline& deadline) override;
  std::string description() const override;

 private:
  Endpoint endpoint_;
};

/// The endpoint, where the machine has one. Throws ConfigurationError at `settings` that names the transport and the
/// key of the machine to set, `key`.
const Endpoint& demand_endpoint(const Endpoint& endpoint, const MachineSettings& machine, const Settings& settings,
                                std::string_view transport, std::string_view key);

}  // namespace pbotvm::transports

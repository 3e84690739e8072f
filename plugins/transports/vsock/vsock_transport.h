// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "pbotvm/transport.h"

namespace pbotvm::transports {

/// A connection over VM sockets to a port that the guest program listens on; see vsock(7). Every connect() makes a
/// connection of its own, and the guest serves many at once.
class VsockTransport : public Transport {
 public:
  /// `cid` is the machine's context id, from 3 on, or VMADDR_CID_LOCAL: a guest program on this very system.
  VsockTransport(std::uint32_t cid, std::uint32_t port) : cid_(cid), port_(port) {}

  UniqueFd connect(const Deadline& deadline) override;
  std::string description() const override;  ///< "vsock 7:5555"
  void* extension(std::string_view) override { return nullptr; }

 private:
  const std::uint32_t cid_;
  const std::uint32_t port_;
};

/// What errno value `error` of connect(2) means here, and what to do about it. `where` is the transport's description.
Error vsock_error(const std::string& where, int error);

}  // namespace pbotvm::transports

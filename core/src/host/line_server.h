// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "service/service.h"

namespace Poco::Net {
class TCPServer;
}

namespace pbotvm::host {

/// The clients' front end: one line in, one reply out, over TCP. Serves from its construction until it is destroyed.
class LineServer {
 public:
  /// Listens on address:port; `start` serves. Borrows `service`. Throws Error{unavailable} when the port is taken.
  LineServer(const std::string& address, std::uint16_t port, service::Service& service);
  ~LineServer();

  void start();

  /// Takes no new clients; those that are being served go on.
  void stop_accepting();

  /// Waits until the clients being served have their replies.
  void drain(std::chrono::milliseconds patience);

 private:
  std::unique_ptr<Poco::Net::TCPServer> server_;
};

}  // namespace pbotvm::host

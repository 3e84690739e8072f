// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "service/service.h"

namespace Poco::Net {
class TCPServer;
}

namespace pbotvm::host {

class ClientWatch;

/// The clients' front end: a line in, a reply out, over TCP; docs/clients.md.
class LineServer {
 public:
  /// Listens on address:port; `start` serves. Borrows `service`. Throws Error{unavailable} when the port is taken.
  LineServer(const std::string& address, std::uint16_t port, service::Service& service);
  ~LineServer();

  void start();

  /// Takes no new clients, and no line that is not whole yet; requests that are being served go on.
  void stop_accepting();

  /// Waits until every client being served has its reply; what `service` refers to must live until then. False when
  /// some are still there after `patience`.
  bool drain(std::chrono::milliseconds patience);

 private:
  std::atomic<bool> ending_{false};
  std::unique_ptr<ClientWatch> watch_;
  std::unique_ptr<Poco::Net::TCPServer> server_;
};

}  // namespace pbotvm::host

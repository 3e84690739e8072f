// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "host/language_reload.h"
#include "machine/machine.h"
#include "service/service.h"

namespace Poco::Net {
class TCPServer;
}

namespace pbotvm::host {

/// What only an operator may ask: status, revert, health. One JSON line in, one out, over the Unix socket
/// STATE/control.sock, which only the daemon's user and group can open. docs/operating.md names the keys.
class ControlServer {
 public:
  struct Context {
    std::string address;  ///< where clients are served, for status
    service::Service& service;
    const std::vector<std::unique_ptr<machine::Machine>>& machines;
    const LanguageReload& languages;
  };

  /// Makes control.sock in the working directory. Throws Error.
  explicit ControlServer(Context context);
  ~ControlServer();

  void start();

  /// Takes no new commands and waits until those being obeyed are answered, at most `patience`; false when some are
  /// not.
  bool stop(std::chrono::milliseconds patience);

 private:
  std::unique_ptr<Poco::Net::TCPServer> server_;
};

}  // namespace pbotvm::host

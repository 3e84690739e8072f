// SPDX-License-Identifier: MIT
#pragma once

#include <list>
#include <memory>
#include <string>

#include "conversation.h"
#include "heartbeat.h"
#include "options.h"

namespace pbotvm::guest {

/// Opens every line that the options name and serves it.
class Server {
 public:
  /// Throws SystemError when no data line works.
  Server(EventLoop& loop, const Containment& containment, const Options& options);

 private:
  template <typename Open>
  void add_line(LineKind kind, const std::string& name, Open open);
  void add_listener(UniqueFd fd, std::function<void(UniqueFd)> on_connection);
  void add_vsock(std::uint32_t port);
  void add_connection(UniqueFd fd, const std::string& name);
  void add_heartbeat(const std::string& where);
  void add_heartbeat_line(UniqueFd fd);

  struct Listener {
    UniqueFd fd;
    std::unique_ptr<Watch> watch;
  };

  EventLoop& loop_;
  const Containment& containment_;
  Jobs jobs_;
  PbotTurns pbot_turns_;
  std::list<Listener> listeners_;
  std::list<std::unique_ptr<Conversation>> conversations_;
  std::list<std::unique_ptr<HeartbeatLine>> heartbeats_;
};

}  // namespace pbotvm::guest

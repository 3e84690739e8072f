// SPDX-License-Identifier: MIT
#include "server.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "endpoints.h"

namespace pbotvm::guest {
namespace {
constexpr std::size_t max_connections = 64;  // of all listening sockets together
}

Server::Server(EventLoop& loop, const Containment& containment, const Options& options)
    : loop_(loop), containment_(containment), jobs_(loop, containment), pbot_turns_(loop, options.pbot_time) {
  for (const auto& where : options.heartbeat) add_heartbeat(where);
  for (const auto& name : options.virtio_serial) add_line(LineKind::virtio_serial, name, open_virtio_serial);
  for (const auto& name : options.serial) add_line(LineKind::serial, name, open_serial);
  for (const auto port : options.vsock) add_vsock(port);
  for (const auto& path : options.listen) {
    add_listener(listen_on(path), [this, path](UniqueFd fd) { add_connection(std::move(fd), path); });
  }
  if (conversations_.empty() && listeners_.empty()) throw SystemError("none of the lines works", ENODEV);
}

// A machine need not have every line that its image names: the host uses the one it has.
template <typename Open>
void Server::add_line(LineKind kind, const std::string& name, Open open) {
  try {
    conversations_.push_back(
        std::make_unique<Conversation>(loop_, containment_, jobs_, pbot_turns_, open(name), kind, name, nullptr));
    log_line("serving " + name);
  } catch (const SystemError& error) {
    log_line(std::string("passed over: ") + error.what());
  }
}

void Server::add_vsock(std::uint32_t port) {
  const std::string name = "vsock port " + std::to_string(port);
  try {
    add_listener(listen_on_vsock(port), [this, name](UniqueFd fd) { add_connection(std::move(fd), name); });
    log_line("serving " + name);
  } catch (const SystemError& error) {
    log_line(std::string("passed over: ") + error.what());
  }
}

void Server::add_listener(UniqueFd fd, std::function<void(UniqueFd)> on_connection) {
  listeners_.push_back({std::move(fd), nullptr});
  Listener& listener = listeners_.back();
  listener.watch = std::make_unique<Watch>(
      loop_, listener.fd.get(), EPOLLIN, [&listener, on_connection = std::move(on_connection)](std::uint32_t) {
        UniqueFd connection(accept4(listener.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (connection) on_connection(std::move(connection));
      });
}

void Server::add_connection(UniqueFd fd, const std::string& name) {
  if (conversations_.size() >= max_connections) return;
  auto& place = conversations_.emplace_back();
  place = std::make_unique<Conversation>(
      loop_, containment_, jobs_, pbot_turns_, std::move(fd), LineKind::connection, name, [this, &place] {
        loop_.at_end_of_round([this, gone = place.get()] {
          std::erase_if(conversations_, [&](const auto& one) { return one.get() == gone; });
        });
      });
}

void Server::add_heartbeat(const std::string& where) {
  static const std::string scheme = "unix:";
  if (where.starts_with(scheme)) {
    return add_listener(listen_on(where.substr(scheme.size())),
                        [this](UniqueFd fd) { add_heartbeat_line(std::move(fd)); });
  }
  try {
    add_heartbeat_line(open_heartbeat(where));
  } catch (const SystemError& error) {
    log_line(std::string("no heartbeat: ") + error.what());
  }
}

void Server::add_heartbeat_line(UniqueFd fd) {
  if (heartbeats_.size() >= max_connections) return;
  auto& place = heartbeats_.emplace_back();
  place = std::make_unique<HeartbeatLine>(loop_, jobs_, std::move(fd), [this, &place] {
    loop_.at_end_of_round(
        [this, gone = place.get()] { std::erase_if(heartbeats_, [&](const auto& one) { return one.get() == gone; }); });
  });
}

}  // namespace pbotvm::guest

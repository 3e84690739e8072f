// SPDX-License-Identifier: MIT
#include "line_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace pbotvm::qemu {
namespace {

constexpr int backlog = 1;  // a line has one user; more would wait for ever

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Error taken(const Endpoint& endpoint, const std::string& line, const std::string& why,
            const std::string& remedy = "end what uses it, or give the machine another one") {
  return Error(ErrorCode::unavailable, "cannot listen on " + endpoint.text() + " for the " + line + ": " + why, remedy);
}

/// By a connection to the socket: the process that listened there last, such as a QEMU that an earlier host left.
Error served(const Endpoint& endpoint, const std::string& line, const UniqueFd& connection) {
  ucred peer{};
  socklen_t size = sizeof peer;
  std::string name;
  if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
    std::getline(std::ifstream("/proc/" + std::to_string(peer.pid) + "/comm"), name);
  if (name.empty()) return taken(endpoint, line, "somebody listens there");
  const std::string pid = std::to_string(peer.pid);
  return taken(endpoint, line, "process " + pid + " (" + name + ") listens there", "end that process: kill " + pid);
}

Address address_of(const Endpoint& endpoint, const std::string& line) {
  Address made;
  if (endpoint.kind == Endpoint::Kind::unix_socket) {
    auto& address = reinterpret_cast<sockaddr_un&>(made.storage);
    if (endpoint.path.size() >= sizeof address.sun_path)
      throw Error(ErrorCode::configuration, "the path of the " + line + " is too long for a socket: " + endpoint.path);
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, endpoint.path.c_str(), endpoint.path.size() + 1);
    made.size = sizeof address;
    return made;
  }
  auto& v4 = reinterpret_cast<sockaddr_in&>(made.storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(made.storage);
  if (::inet_pton(AF_INET, endpoint.address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    made.size = sizeof v4;
  } else if (::inet_pton(AF_INET6, endpoint.address.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    made.size = sizeof v6;
  } else {
    throw Error(ErrorCode::configuration, "the " + line + " has no address to listen on: " + endpoint.text());
  }
  return made;
}

/// A socket file outlives a QEMU that was killed. It is in the way only when somebody still answers on it.
void clear_stale_socket(const Endpoint& endpoint, const Address& address, const std::string& line) {
  struct stat status {};
  if (::lstat(endpoint.path.c_str(), &status) != 0) return;
  if (!S_ISSOCK(status.st_mode)) throw taken(endpoint, line, "there is a file that is no socket");
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(probe.get(), address.get(), address.size) == 0 || errno == EAGAIN) throw served(endpoint, line, probe);
  ::unlink(endpoint.path.c_str());
}

}  // namespace

UniqueFd listen_on(const Endpoint& endpoint, const std::string& line, mode_t mode) {
  const Address address = address_of(endpoint, line);
  UniqueFd socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) throw Error(ErrorCode::unavailable, errno_text("make a socket for the " + line, errno));
  if (endpoint.kind == Endpoint::Kind::unix_socket) clear_stale_socket(endpoint, address, line);
  const int yes = 1;  // connections of an earlier QEMU that fade away on this port are not in the way
  if (endpoint.kind == Endpoint::Kind::tcp) ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(socket.get(), address.get(), address.size) != 0) throw taken(endpoint, line, std::strerror(errno));
  if (endpoint.kind == Endpoint::Kind::unix_socket) ::chmod(endpoint.path.c_str(), mode);
  if (::listen(socket.get(), backlog) != 0) throw taken(endpoint, line, std::strerror(errno));
  return socket;
}

void remove_socket(const Endpoint& endpoint) noexcept {
  if (endpoint.kind == Endpoint::Kind::unix_socket) ::unlink(endpoint.path.c_str());
}

}  // namespace pbotvm::qemu

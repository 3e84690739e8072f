// SPDX-License-Identifier: MIT
#include "pbotvm/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "pbotvm/error.h"

PBOTVM_BEGIN_NAMESPACE

namespace {

constexpr std::size_t max_socket_path = sizeof(sockaddr_un::sun_path) - 1;  // unix(7)
constexpr const char* accepted =
    "accepted are a port from 1 to 65535 on 127.0.0.1, ADDRESS:PORT, [IPV6]:PORT, unix:PATH, or 0 for none";
// A Unix socket whose backlog is full cannot be polled for (connect(2), EAGAIN): it is asked again after this pause.
constexpr int backlog_pause_ms = 10;

[[noreturn]] void reject(const std::string& found) {
  throw Error(ErrorCode::configuration, "found " + found, accepted);
}

std::string quoted(std::string_view text) {
  return std::string("'").append(text).append("'");
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::uint16_t parse_port(std::string_view digits, std::string_view whole) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (!all_digits(digits) || error != std::errc() || end != digits.data() + digits.size() || value < 1 || value > 65535)
    reject(quoted(whole) + ", whose port is not a number from 1 to 65535");
  return static_cast<std::uint16_t>(value);
}

union SocketAddress {
  sockaddr plain;
  sockaddr_in v4;
  sockaddr_in6 v6;
  sockaddr_un local;
};

/// The length of the address, or 0 where `text` is not a literal address.
socklen_t fill_tcp(SocketAddress& address, const std::string& text, std::uint16_t port) {
  if (inet_pton(AF_INET, text.c_str(), &address.v4.sin_addr) == 1) {
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = htons(port);
    return sizeof(address.v4);
  }
  if (inet_pton(AF_INET6, text.c_str(), &address.v6.sin6_addr) == 1) {
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_port = htons(port);
    return sizeof(address.v6);
  }
  return 0;
}

socklen_t fill(SocketAddress& address, const Endpoint& endpoint) {
  std::memset(&address, 0, sizeof(address));
  if (endpoint.kind == Endpoint::Kind::tcp) return fill_tcp(address, endpoint.address, endpoint.port);
  if (endpoint.path.empty() || endpoint.path.size() > max_socket_path) return 0;
  address.local.sun_family = AF_UNIX;
  std::memcpy(address.local.sun_path, endpoint.path.data(), endpoint.path.size());
  return sizeof(address.local);
}

[[noreturn]] void fail_connect(const Endpoint& endpoint, int error) {
  throw Error(ErrorCode::unavailable, errno_text("connect to " + endpoint.text(), error),
              "check that the machine runs and that this is its address");
}

/// Waits until the connection is made or refused. The errno value, 0 when it is made.
int await_connection(int fd, const Endpoint& endpoint, const Deadline& deadline) {
  pollfd waiting{fd, POLLOUT, 0};
  for (;;) {
    const int ready = ::poll(&waiting, 1, deadline.poll_timeout());
    if (ready > 0) break;
    if (ready < 0 && errno != EINTR) return errno;
    if (ready == 0 && deadline.expired())
      throw Error(ErrorCode::timed_out, "connect to " + endpoint.text() + ": no answer in time");
  }
  int error = 0;
  socklen_t size = sizeof(error);
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

void pause_for_backlog(const Endpoint& endpoint, const Deadline& deadline) {
  if (deadline.expired())
    throw Error(ErrorCode::timed_out, "connect to " + endpoint.text() + ": its queue stayed full",
                "something else may hold the connection, which serves one client only");
  ::poll(nullptr, 0, std::min(backlog_pause_ms, deadline.poll_timeout()));
}

/// TCP connects a socket to itself when nobody listens on a local port that the kernel happens to choose as the source.
bool connected_to_itself(int fd) {
  SocketAddress own{}, peer{};
  socklen_t own_size = sizeof(own), peer_size = sizeof(peer);
  return ::getsockname(fd, &own.plain, &own_size) == 0 && ::getpeername(fd, &peer.plain, &peer_size) == 0 &&
         own_size == peer_size && std::memcmp(&own, &peer, own_size) == 0;
}

}  // namespace

Endpoint Endpoint::tcp(std::string address, std::uint16_t port) {
  SocketAddress unused{};
  if (fill_tcp(unused, address, port) == 0) reject(quoted(address) + ", which is not a literal IPv4 or IPv6 address");
  if (port == 0) reject("port 0 on " + address);
  return {Kind::tcp, std::move(address), port, {}};
}

Endpoint Endpoint::unix_socket(std::string path) {
  if (path.empty() || path.find('\0') != std::string::npos) reject("a socket without a usable path");
  if (path.size() > max_socket_path)
    reject(quoted(path) + ", which is longer than the " + std::to_string(max_socket_path) +
           " bytes a socket's path may have");
  return {Kind::unix_socket, {}, 0, std::move(path)};
}

Endpoint Endpoint::parse(std::string_view text) {
  if (text == "0") return {};
  if (text.substr(0, 5) == "unix:") return unix_socket(std::string(text.substr(5)));
  if (all_digits(text)) return tcp("127.0.0.1", parse_port(text, text));
  if (text.substr(0, 1) == "[") {
    const auto close = text.find("]:");
    if (close == std::string_view::npos) reject(quoted(text));
    return tcp(std::string(text.substr(1, close - 1)), parse_port(text.substr(close + 2), text));
  }
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon != text.rfind(':')) reject(quoted(text));
  return tcp(std::string(text.substr(0, colon)), parse_port(text.substr(colon + 1), text));
}

std::string Endpoint::text() const {
  switch (kind) {
    case Kind::none:
      break;
    case Kind::tcp:
      return (address.find(':') == std::string::npos ? address : "[" + address + "]") + ":" + std::to_string(port);
    case Kind::unix_socket:
      return "unix:" + path;
  }
  return "0";
}

UniqueFd connect_endpoint(const Endpoint& endpoint, const Deadline& deadline) {
  if (endpoint.kind == Endpoint::Kind::none)
    throw Error(ErrorCode::unavailable, "connect: no endpoint is configured", "give the machine a port or a socket");
  SocketAddress address{};
  const socklen_t size = fill(address, endpoint);
  if (size == 0) throw Error(ErrorCode::configuration, "connect to " + endpoint.text() + ": not an address");
  UniqueFd fd(::socket(address.plain.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) throw Error(ErrorCode::internal, errno_text("open a socket", errno));

  while (::connect(fd.get(), &address.plain, size) < 0) {
    const int error = errno;
    if (error == EISCONN) break;
    if (error == EAGAIN) {
      pause_for_backlog(endpoint, deadline);
      continue;
    }
    if (error != EINPROGRESS && error != EINTR && error != EALREADY) fail_connect(endpoint, error);
    if (const int late = await_connection(fd.get(), endpoint, deadline); late != 0) fail_connect(endpoint, late);
    break;
  }
  if (endpoint.kind == Endpoint::Kind::tcp) {
    if (connected_to_itself(fd.get())) fail_connect(endpoint, ECONNREFUSED);
    const int on = 1;
    if (::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0) fail_connect(endpoint, errno);
  }
  return fd;
}

PBOTVM_END_NAMESPACE

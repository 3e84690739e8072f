// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pbotvm/deadline.h"
#include "pbotvm/unique_fd.h"

PBOTVM_BEGIN_NAMESPACE

/// Where one line of a machine (data serial, heartbeat serial, virtio-serial port) meets the host: a TCP port or a Unix
/// socket, on which the hypervisor listens and to which a transport connects.
struct PBOTVM_EXPORT Endpoint {
  enum class Kind { none, tcp, unix_socket };

  Kind kind = Kind::none;
  std::string address;     ///< tcp: a literal IPv4 or IPv6 address
  std::uint16_t port = 0;  ///< tcp
  std::string path;        ///< unix_socket: absolute, or relative to the host's working directory (STATE)

  /// Reads "5555" (a port on 127.0.0.1), "ADDRESS:PORT", "[IPV6]:PORT", "unix:PATH", or "0" (none).
  /// Throws Error{configuration} that says what was found and what is accepted.
  static Endpoint parse(std::string_view text);
  static Endpoint tcp(std::string address, std::uint16_t port);
  static Endpoint unix_socket(std::string path);

  /// The form that parse() reads.
  std::string text() const;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// Connects to `endpoint`: the descriptor is connected, non-blocking, close-on-exec and, over TCP, without Nagle's
/// delay. Blocks until `deadline`. Any thread. Throws Error{unavailable} when nobody listens, Error{timed_out}.
PBOTVM_EXPORT UniqueFd connect_endpoint(const Endpoint& endpoint, const Deadline& deadline);

PBOTVM_END_NAMESPACE

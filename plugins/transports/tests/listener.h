// SPDX-License-Identifier: MIT
#pragma once

// A listening TCP or Unix socket that stands for a hypervisor's end of a line.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <string>

#include "pbotvm/endpoint.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::testing {

struct Listener {
  UniqueFd socket;
  Endpoint endpoint;

  /// On a port that the system picks.
  static Listener tcp() {
    Listener made{UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), {}};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(0, ::bind(made.socket.get(), reinterpret_cast<sockaddr*>(&address), size));
    EXPECT_EQ(0, ::getsockname(made.socket.get(), reinterpret_cast<sockaddr*>(&address), &size));
    EXPECT_EQ(0, ::listen(made.socket.get(), 1));
    made.endpoint = Endpoint::tcp("127.0.0.1", ntohs(address.sin_port));
    return made;
  }

  static Listener unix_socket(const std::string& path) {
    Listener made{UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), Endpoint::unix_socket(path)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(0, ::bind(made.socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
    EXPECT_EQ(0, ::listen(made.socket.get(), 1));
    return made;
  }

  UniqueFd accept() const { return UniqueFd(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
};

/// Waits up to five seconds for something to read, then reads once.
inline std::string read_some(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  if (::poll(&waiting, 1, 5000) != 1) return {};
  char buffer[4096];
  const ssize_t got = ::read(fd, buffer, sizeof buffer);
  return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : std::string();
}

}  // namespace pbotvm::testing

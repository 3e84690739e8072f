// SPDX-License-Identifier: MIT
#include "host/listening_socket.h"

#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/ServerSocketImpl.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocketImpl.h>
#include <sys/socket.h>

#include <cerrno>

#include "pbotvm/unique_fd.h"

namespace pbotvm::host {

namespace {

class ClosedOnExec : public Poco::Net::ServerSocketImpl {
 public:
  Poco::Net::SocketImpl* acceptConnection(Poco::Net::SocketAddress& client) override {
    sockaddr_storage address{};
    for (;;) {
      socklen_t size = sizeof address;
      UniqueFd fd(::accept4(sockfd(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_CLOEXEC));
      if (fd) {
        client = Poco::Net::SocketAddress(reinterpret_cast<sockaddr*>(&address), size);
        return new Poco::Net::StreamSocketImpl(fd.release());  // owned by the StreamSocket that Poco makes of it
      }
      if (errno != EINTR) error();
    }
  }

 protected:
  void init(int family) override {
    const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) error();
    reset(fd);
  }
};

struct Listening : Poco::Net::ServerSocket {
  Listening() : ServerSocket(new ClosedOnExec, true) {}
};

}  // namespace

Poco::Net::ServerSocket listening_socket() {
  return Listening();
}

}  // namespace pbotvm::host

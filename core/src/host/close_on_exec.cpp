// SPDX-License-Identifier: MIT
#include "host/close_on_exec.h"

#include <Poco/Net/Socket.h>
#include <Poco/Net/SocketImpl.h>
#include <fcntl.h>

namespace pbotvm::host {

void close_on_exec(const Poco::Net::Socket& socket) {
  ::fcntl(socket.impl()->sockfd(), F_SETFD, FD_CLOEXEC);
}

}  // namespace pbotvm::host

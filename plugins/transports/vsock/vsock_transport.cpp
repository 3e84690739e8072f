// SPDX-License-Identifier: MIT
#include "vsock_transport.h"

#include <poll.h>
#include <sys/socket.h>
// After sys/socket.h, which it needs and does not include.
#include <linux/vm_sockets.h>

#include <cerrno>

namespace pbotvm::transports {
namespace {

/// The kernel gives up by itself after two seconds unless it is told otherwise. The deadline is ours.
void leave_patience_to_caller(int fd, const Deadline& deadline) {
  const auto left = deadline.remaining() + std::chrono::seconds(1);
  timeval limit{};
  limit.tv_sec = left.count() / 1000;
  limit.tv_usec = left.count() % 1000 * 1000;
  // An older kernel that does not know it keeps its two seconds, which is told apart from a refusal below.
  (void)::setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &limit, sizeof limit);
}

/// Waits until the connection is made or refused. The errno value, 0 when it is made.
int await_connection(int fd, const Deadline& deadline) {
  pollfd waiting{fd, POLLOUT, 0};
  for (;;) {
    const int ready = ::poll(&waiting, 1, deadline.poll_timeout());
    if (ready > 0) break;
    if (ready < 0 && errno != EINTR) return errno;
    if (ready == 0 && deadline.expired()) return ETIMEDOUT;
  }
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

}  // namespace

UniqueFd VsockTransport::connect(const Deadline& deadline) {
  UniqueFd fd(::socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) throw vsock_error(description(), errno);
  leave_patience_to_caller(fd.get(), deadline);
  sockaddr_vm address{};
  address.svm_family = AF_VSOCK;
  address.svm_cid = cid_;
  address.svm_port = port_;
  int error = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  if (error == EINPROGRESS || error == EINTR || error == EALREADY) error = await_connection(fd.get(), deadline);
  if (error != 0) throw vsock_error(description(), error);
  return fd;
}

std::string VsockTransport::description() const {
  return "vsock " + std::to_string(cid_) + ":" + std::to_string(port_);
}

Error vsock_error(const std::string& where, int error) {
  const std::string tried = "connect to " + where;
  switch (error) {
    case ETIMEDOUT:
      return Error(ErrorCode::timed_out, tried + ": no answer in time",
                   "check that the machine runs and that its guest program does");
    case EAFNOSUPPORT:
      return Error(ErrorCode::unavailable, errno_text(tried, error),
                   "this kernel has no VM sockets: load its module vsock, or do not use this transport");
    case ENODEV:
      return Error(ErrorCode::unavailable, errno_text(tried, error),
                   "no running machine has this context id: check that the machine runs, has a vsock device, and that "
                   "this is its cid");
    case ECONNREFUSED:
    case ECONNRESET:
      return Error(ErrorCode::unavailable, errno_text(tried, error),
                   "the machine is there, and nothing in it listens on this port: check that its guest program runs "
                   "with --vsock and this port (vport)");
    default:
      return Error(ErrorCode::unavailable, errno_text(tried, error),
                   "check that the machine runs and that this is its cid");
  }
}

}  // namespace pbotvm::transports

// SPDX-License-Identifier: MIT
#include "job_network.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>

#include "pbotvm/unique_fd.h"
#include "system.h"

namespace pbotvm::guest {
namespace {

std::string interfaces() {
  return read_file("/proc/self/net/dev");
}

}  // namespace

JobNetwork::JobNetwork() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) throw SystemError("socket");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(socket.get(), SIOCSIFFLAGS, &request) < 0) throw SystemError("turn on the loopback interface");
  interfaces_ = interfaces();
}

bool JobNetwork::untouched() const {
  constexpr std::uint64_t unknown = 1;
  return number_behind(read_file("/proc/self/net/sockstat"), "sockets", unknown) == 0 && !interfaces_.empty() &&
         interfaces() == interfaces_;
}

}  // namespace pbotvm::guest

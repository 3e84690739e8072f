// SPDX-License-Identifier: MIT
#include "job_network.h"

#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>

#include "pbotvm/unique_fd.h"
#include "system.h"

namespace pbotvm::guest {
namespace {

UniqueFd open_figures(const char* path) {
  UniqueFd file(open(path, O_RDONLY | O_CLOEXEC));
  if (!file) throw SystemError(std::string("open ") + path);
  return file;
}

}  // namespace

JobNetwork::JobNetwork() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) throw SystemError("socket");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(socket.get(), SIOCSIFFLAGS, &request) < 0) throw SystemError("turn on the loopback interface");
  interfaces_ = open_figures("/proc/self/net/dev");
  sockets_ = open_figures("/proc/self/net/sockstat");
  unused_ = read_again(interfaces_.get());
}

bool JobNetwork::untouched() const {
  constexpr std::uint64_t unknown = 1;
  return number_behind(read_again(sockets_.get()), "sockets", unknown) == 0 && !unused_.empty() &&
         read_again(interfaces_.get()) == unused_;
}

}  // namespace pbotvm::guest

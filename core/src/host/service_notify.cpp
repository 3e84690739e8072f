// SPDX-License-Identifier: MIT
#include "host/service_notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "pbotvm/unique_fd.h"

namespace pbotvm::host {

bool notify_service_manager(const std::string& state) noexcept {
  const char* name = std::getenv("NOTIFY_SOCKET");
  if (name == nullptr || (name[0] != '/' && name[0] != '@')) return false;
  const std::size_t size = std::strlen(name);
  sockaddr_un address{};
  if (size < 2 || size > sizeof address.sun_path - 1) return false;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name, size);
  if (name[0] == '@') address.sun_path[0] = '\0';  // the abstract namespace: the length counts, not a final zero
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
  return fd && ::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                        reinterpret_cast<const sockaddr*>(&address), length) == static_cast<ssize_t>(state.size());
}

}  // namespace pbotvm::host

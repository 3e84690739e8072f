// SPDX-License-Identifier: MIT
#include "host/privileges.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>

#include "pbotvm/error.h"

namespace pbotvm::host {

std::optional<DaemonUser> daemon_user(const std::string& name) {
  if (::geteuid() != 0) return std::nullopt;
  errno = 0;
  const passwd* entry = ::getpwnam(name.c_str());
  if (entry == nullptr) {
    throw Error(ErrorCode::configuration,
                "the user '" + name + "', whom a host started by root becomes, does not exist",
                "make it with `useradd --system --no-create-home --shell /usr/sbin/nologin " + name +
                    "`, or name another one in host.user");
  }
  return DaemonUser{name, entry->pw_uid, entry->pw_gid};
}

ActingAs::ActingAs(const std::optional<DaemonUser>& user) : acting_(user.has_value()) {
  if (acting_ && (::setegid(user->gid) != 0 || ::seteuid(user->uid) != 0)) {
    throw Error(ErrorCode::internal, errno_text("act as user '" + user->name + "'", errno));
  }
}

ActingAs::~ActingAs() {
  // Cannot fail: the saved user id is root's still.
  if (acting_) (void)!(::seteuid(0) == 0 && ::setegid(0) == 0);
}

void become(const DaemonUser& user) {
  // In this order: each step needs the privilege that the next one gives up.
  if (::initgroups(user.name.c_str(), user.gid) != 0 || ::setresgid(user.gid, user.gid, user.gid) != 0 ||
      ::setresuid(user.uid, user.uid, user.uid) != 0) {
    throw Error(ErrorCode::internal, errno_text("become user '" + user.name + "'", errno));
  }
}

}  // namespace pbotvm::host

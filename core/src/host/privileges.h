// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace pbotvm::host {

/// Whom the daemon becomes.
struct DaemonUser {
  std::string name;
  uid_t uid;
  gid_t gid;
  std::vector<gid_t> groups;  ///< those that he is in, and the one that may start machines (kvm) where there is one
};

/// The user to become when started by root; none when started by somebody else, who stays as he is. Throws
/// Error{configuration} where `name` does not exist.
std::optional<DaemonUser> daemon_user(const std::string& name);

/// Acts as that user for file access while it lives: what root makes in a directory that belongs to the daemon's user
/// would otherwise follow links that this user put there. Start-up only, before other threads exist.
class ActingAs {
 public:
  explicit ActingAs(const std::optional<DaemonUser>& user);
  ~ActingAs();
  ActingAs(const ActingAs&) = delete;
  ActingAs& operator=(const ActingAs&) = delete;

 private:
  const bool acting_;
};

/// Becomes that user for good: groups, gid, uid. One thread, before any other exists. Throws Error.
void become(const DaemonUser& user);

/// For a host that is not root's: gives up the capabilities that it was started with for good, such as CAP_NET_ADMIN
/// for the ports of bridges, so that neither it nor QEMU has them while machines run. One thread, before any other
/// exists. Throws Error. See capabilities(7).
void give_up_capabilities();

}  // namespace pbotvm::host

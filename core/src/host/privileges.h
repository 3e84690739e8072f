// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>
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

/// For a host that is not root's: takes the capabilities that it was started with, such as CAP_NET_ADMIN for the ports
/// of bridges, from the thread that makes this and so from every thread and program that comes later; they are a
/// thread's own. Another thread keeps them, for what still needs them. Made before other threads exist. Throws Error.
/// See capabilities(7).
class KeptCapabilities {
 public:
  KeptCapabilities();
  ~KeptCapabilities();  ///< nobody has them any more
  KeptCapabilities(const KeptCapabilities&) = delete;
  KeptCapabilities& operator=(const KeptCapabilities&) = delete;

  /// Runs that on the thread that has them, waits for it, and throws what it threw. Once.
  void use(std::function<void()> work);

 private:
  std::promise<std::function<void()>> work_;
  std::promise<void> done_;
  bool used_ = false;
  std::thread thread_;
};

}  // namespace pbotvm::host

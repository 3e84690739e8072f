// SPDX-License-Identifier: MIT
#include "host/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "pbotvm/error.h"

namespace pbotvm::host {

namespace {

// Who may open /dev/kvm and /dev/vhost-vsock, as systemd's udev rules have it.
constexpr const char* virtualisation_group = "kvm";

std::vector<gid_t> groups_of(const std::string& name, gid_t own) {
  int count = 0;
  ::getgrouplist(name.c_str(), own, nullptr, &count);  // says how many there are
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  if (::getgrouplist(name.c_str(), own, groups.data(), &count) < 0) {
    throw Error(ErrorCode::internal, "the groups of user '" + name + "' cannot be read");
  }
  groups.resize(static_cast<std::size_t>(count));
  const ::group* kvm = ::getgrnam(virtualisation_group);
  if (kvm != nullptr && std::ranges::find(groups, kvm->gr_gid) == groups.end()) groups.push_back(kvm->gr_gid);
  return groups;
}

void give_up_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
      ::syscall(SYS_capset, &header, none.data()) != 0) {
    throw Error(ErrorCode::internal, errno_text("give up capabilities", errno));
  }
}

}  // namespace

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
  return DaemonUser{name, entry->pw_uid, entry->pw_gid, groups_of(name, entry->pw_gid)};
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
  if (::setgroups(user.groups.size(), user.groups.data()) != 0 || ::setresgid(user.gid, user.gid, user.gid) != 0 ||
      ::setresuid(user.uid, user.uid, user.uid) != 0) {
    throw Error(ErrorCode::internal, errno_text("become user '" + user.name + "'", errno));
  }
}

KeptCapabilities::KeptCapabilities()
    : thread_([this] {
        try {
          if (const auto work = work_.get_future().get()) work();
          done_.set_value();
        } catch (...) {
          done_.set_exception(std::current_exception());
        }
      }) {
  try {
    give_up_capabilities();
  } catch (...) {
    work_.set_value({});
    thread_.join();
    throw;
  }
}

KeptCapabilities::~KeptCapabilities() {
  if (!used_) work_.set_value({});
  thread_.join();
}

void KeptCapabilities::use(std::function<void()> work) {
  used_ = true;
  work_.set_value(std::move(work));
  done_.get_future().get();
}

}  // namespace pbotvm::host

// SPDX-License-Identifier: MIT
#include "rights.h"

#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "system.h"

namespace pbotvm::guest {
namespace {

constexpr rlim_t kib = 1024, mib = 1024 * kib;

struct Bound {
  __rlimit_resource resource;
  rlim_t soft, hard;
};
constexpr Bound bounds[] = {
    {RLIMIT_CORE, 0, 64 * mib},  // a job that wants a core file asks for it: ulimit -c
    {RLIMIT_STACK, 8 * mib, 64 * mib},
    {RLIMIT_MEMLOCK, mib, mib},
    {RLIMIT_MSGQUEUE, 800 * kib, 800 * kib},  // of all jobs together, as the next one: the kernel counts by user
    {RLIMIT_SIGPENDING, 1024, 1024},
    {RLIMIT_NICE, 0, 0},
    {RLIMIT_RTPRIO, 0, 0},
};

// The kernel may have more than the headers know, and ends the list with an error.
void drop_bounding_set() {
  for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) throw SystemError("drop capabilities");
  }
}

void clear_inheritable_set() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  if (syscall(SYS_capget, &header, sets) < 0) throw SystemError("capget");
  for (auto& set : sets) set.inheritable = 0;
  if (syscall(SYS_capset, &header, sets) < 0) throw SystemError("capset");
}

// User 0 means nothing to exec; nothing is kept over a change of user, which still takes all of them away.
void lock_secure_bits() {
  constexpr unsigned long bits = SECBIT_NOROOT | SECBIT_NO_CAP_AMBIENT_RAISE | SECURE_ALL_LOCKS;
  if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0) throw SystemError("lock the secure bits");
}

// Not the keys of whoever started this program, but an empty keyring; the filter keeps jobs from putting anything
// there.
void leave_keyrings() {
  if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0 && errno != ENOSYS) {
    throw SystemError("join a new keyring");
  }
}

}  // namespace

std::string settle_rights() {
  try {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) throw SystemError("no_new_privs");
    leave_keyrings();
    if (geteuid() != 0) return "not started as root";
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) throw SystemError("clear ambient capabilities");
    clear_inheritable_set();
    lock_secure_bits();
    drop_bounding_set();
  } catch (const SystemError& error) {
    return error.what();
  }
  return "";
}

void bound_resources() {
  for (const auto& [resource, soft, hard] : bounds) {
    rlimit now{};
    if (getrlimit(resource, &now) < 0) throw SystemError("getrlimit");
    const rlim_t most = std::min(hard, now.rlim_max);
    const rlimit limit{std::min(soft, most), most};
    if (setrlimit(resource, &limit) < 0) throw SystemError("setrlimit");
  }
}

}  // namespace pbotvm::guest

// SPDX-License-Identifier: MIT
#include "vhost_vsock.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>

namespace pbotvm::qemu {
namespace {

// VHOST_VSOCK_SET_GUEST_CID. Debian 12's <linux/vhost.h>, which has it, is not fit for C++.
constexpr unsigned long set_guest_cid = _IOW(0xAF, 0x60, std::uint64_t);

std::string remedy_for(int error) {
  if (error == EACCES || error == EPERM)
    return "the host's user must be in the group that owns it, which is kvm on Debian";
  if (error == ENOENT || error == ENODEV || error == ENXIO) return "load the kernel module vhost_vsock";
  return "leave vsock out of the machine's transports";
}

}  // namespace

UniqueFd open_vhost_vsock(const std::string& device) {
  UniqueFd vhost(::open(device.c_str(), O_RDWR | O_CLOEXEC));
  const int error = errno;
  if (!vhost) throw Error(ErrorCode::unavailable, errno_text("open " + device, error), remedy_for(error));
  return vhost;
}

void claim_cid(const UniqueFd& vhost, std::uint32_t cid, const std::string& name) {
  std::uint64_t wanted = cid;
  if (::ioctl(vhost.get(), set_guest_cid, &wanted) == 0) return;
  const int error = errno;
  const std::string what = "give machine '" + name + "' the VM socket context id " + std::to_string(cid);
  if (error == EADDRINUSE)
    throw Error(ErrorCode::unavailable, what + ": another virtual machine of this system has it",
                "end that one, or set machines." + name + ".cid to another number");
  throw Error(ErrorCode::unavailable, errno_text(what, error), "set machines." + name + ".cid to another number");
}

}  // namespace pbotvm::qemu

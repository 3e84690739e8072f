// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::qemu {

inline constexpr std::uint32_t first_own_cid = 3;  ///< lower ones have a meaning of their own, vsock(7)
inline constexpr const char* vhost_vsock_device = "/dev/vhost-vsock";

/// The kernel's end of a machine's vsock device, for one QEMU process: it belongs to whoever uses it first. Throws
/// Error{unavailable} with the remedy where this system or this user has none.
UniqueFd open_vhost_vsock(const std::string& device = vhost_vsock_device);

/// Takes the context id for the machine `name`, for as long as the descriptor lives. That way an id that is taken is
/// found before QEMU starts. Throws Error{unavailable} that names the machine and the id.
void claim_cid(const UniqueFd& vhost, std::uint32_t cid, const std::string& name);

}  // namespace pbotvm::qemu

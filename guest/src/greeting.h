// SPDX-License-Identifier: MIT
#pragma once

namespace pbotvm::guest {

/// Where the machine's own programs hear that a host has said hello: a FIFO that one of them reads, made by it. The
/// machine may have been put back to an earlier time, so that what it knows of the world outside (a DHCP lease, say) is
/// old. See fifo(7).
inline constexpr const char* greeting_place = "/run/pbotvm-network/greeted";

/// Writes a line there. Nothing happens where there is no such FIFO or nobody reads it; it never waits. Main thread.
void tell_of_greeting();

}  // namespace pbotvm::guest

// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <string>

namespace pbotvm::guest {

/// What a warden says, each followed by nothing else, but for `failed`: a text.
inline constexpr char warden_ready = 'r';
inline constexpr char warden_failed = 'f';
inline constexpr char warden_swept = 's';
inline constexpr char warden_renewed = 'n';
inline constexpr char warden_touched = 't';
/// What it is told: to end every other process; to make everything as new for another job, or to say that it cannot be
/// certain of that.
inline constexpr char sweep_order = 's';
inline constexpr char renew_order = 'n';

/// Process 1 of a sandbox's namespaces: makes the mounts, reaps what a job leaves behind, and ends every other process
/// when it is told to. Its own end is the end of all of them. Never returns.
[[noreturn]] void run_warden(int words, const std::string& work, uid_t uid, gid_t gid);

}  // namespace pbotvm::guest

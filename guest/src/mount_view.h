// SPDX-License-Identifier: MIT
#pragma once

// What a job sees of the machine's files: everything read-only, and of devices and of the kernel's own files only what
// programs use. It is made once; a sandbox takes a copy of it and adds what is the job's alone (warden.h).

#include <string>

#include "pbotvm/unique_fd.h"

namespace pbotvm::guest {

/// Makes the view; the result is a mount namespace for setns(2). `work`, where jobs will have their directory, is made
/// when it is missing. `devices`: with a /dev of its own; else the machine's is seen. Throws std::runtime_error with
/// what the system refused.
UniqueFd make_mount_view(const std::string& work, bool devices);

/// Of the view, for mounting over what is not to be seen: an empty directory, and a file that nobody without rights can
/// open.
inline constexpr const char* empty_directory = "/sys/fs";
inline constexpr const char* closed_file = "/sys/kernel/closed";

/// Makes a directory and those above it; where the file system is read-only they have to be there.
void make_path(const std::string& path);

}  // namespace pbotvm::guest

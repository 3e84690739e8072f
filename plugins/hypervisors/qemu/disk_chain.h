// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "devices.h"

namespace pbotvm::qemu {

inline constexpr std::size_t longest_chain = 32;  ///< layers of one disk that are looked at

/// Whether the file begins as a qcow2 image does. False where it cannot be read.
bool is_qcow2(const std::string& file);

/// The file of a disk and its backing files, each as the one above it names it, the disk's own first. Ends at the first
/// one that is no qcow2 or cannot be read. https://www.qemu.org/docs/master/interop/qcow2.html
std::vector<std::string> disk_chain(const Disk& disk);

/// What a saved machine depends on: which files its disk consists of, and that those that are only read did not change.
std::string disk_identity(const Disk& disk);

}  // namespace pbotvm::qemu

// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>

#include "pbotvm/unique_fd.h"

namespace pbotvm::qemu {

/// The files of a guest image, opened for reading. A value that owns its descriptors.
struct GuestImage {
  UniqueFd kernel;          ///< vmlinuz
  UniqueFd initrd;          ///< initrd
  UniqueFd rootfs;          ///< rootfs.squashfs
  std::string fingerprint;  ///< image.id, with size and time of each file: changes when the image does
};

/// Opens DIRECTORY/{vmlinuz,initrd,rootfs.squashfs,image.id}. Throws ConfigurationError at `origin` when one is missing
/// or QEMU's user could not read it.
GuestImage open_image(const std::filesystem::path& directory, const std::string& origin);

}  // namespace pbotvm::qemu

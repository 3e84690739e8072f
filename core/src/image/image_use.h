// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace pbotvm::image {

/// What somebody does with an image now, as the locks on it say.
enum class Use { none, read, write };

struct ImageUse {
  Use use = Use::none;
  pid_t pid = 0;                    ///< 0 where it cannot be seen, such as another user's
  std::string machine;              ///< the name of the QEMU process's machine, empty where it has none
  bool libvirt = false;             ///< whether that machine is a domain of libvirt
  std::filesystem::path directory;  ///< the process's working directory, empty where it cannot be seen

  /// "no", "read by QEMU process 12 (machine 'x')", "written by another process".
  std::string text() const;
};

/// Looks for the locks that QEMU and qemu-img hold on the bytes 100 to 103 and 200 to 203 of an open image
/// (block/file-posix.c). Takes none. A QEMU that was told not to lock is not seen. Throws Error{unavailable}.
ImageUse image_use(const std::filesystem::path& file);

}  // namespace pbotvm::image

// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace pbotvm::cli {

/// What an installer's ISO is started from so that it speaks on the serial console: its own boot menu would not.
struct IsoInstaller {
  std::string distribution;      ///< whose layout of files it is
  std::string kernel, initrd;    ///< paths within the ISO
  std::string kernel_arguments;  ///< without the console
};

/// Finds the installer's kernel in an ISO 9660 file: that of Debian (Ubuntu's server), of Fedora, of openSUSE. Nothing
/// where it has none of their layouts: such an ISO is booted as it is. Throws Error{unavailable} when it cannot be
/// read, Error{refused} when it is no ISO.
std::optional<IsoInstaller> find_installer(const std::filesystem::path& iso);

/// Writes a file of the ISO, at most 1 GiB long, to `to`, which must not exist. Throws Error.
void extract_from_iso(const std::filesystem::path& iso, const std::string& file, const std::filesystem::path& to);

}  // namespace pbotvm::cli

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "image/image_header.h"

namespace pbotvm::image {

inline constexpr std::size_t max_layers = 64;  ///< of one chain; QEMU opens all of them

/// One image of a chain.
struct Layer {
  std::filesystem::path file;  ///< absolute
  ImageHeader header;
  std::uint64_t disk_size = 0;  ///< bytes that it takes on the disk
};

/// An image and everything that it lies on, the bottom last. Throws Error{refused} for loops, more than max_layers,
/// protocols and formats other than ours; `unavailable` where a file is missing. Opens nothing by QEMU.
std::vector<Layer> read_chain(const std::filesystem::path& file);

/// An overlay that was found on the disk.
struct Overlay {
  std::filesystem::path file;     ///< absolute
  std::filesystem::path backing;  ///< absolute
  ImageHeader header;
};

/// The overlays that were found, sorted by file.
struct OverlaySearch {
  std::vector<Overlay> overlays;
  bool complete = true;  ///< false: there were too many files to look at all of them

  /// Those that lie directly on `base`.
  std::vector<std::filesystem::path> on(const std::filesystem::path& base) const;
};

/// Looks through directories and those directly within them. Files that cannot be read are passed over.
OverlaySearch find_overlays(const std::vector<std::filesystem::path>& directories);

}  // namespace pbotvm::image

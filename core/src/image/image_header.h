// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace pbotvm::image {

enum class Format { raw, qcow2 };

/// "raw" or "qcow2", as qemu-img has it.
std::string format_name(Format format);

/// What an image says of itself. `backing` is what it records, not checked.
struct ImageHeader {
  Format format = Format::raw;
  std::uint64_t virtual_size = 0;  ///< bytes, as the machine sees it
  std::string backing;             ///< the file that it lies on, empty where it stands alone
  std::string backing_format;      ///< empty where it was not recorded
  std::uint32_t cluster_size = 0;  ///< bytes
  std::uint32_t snapshots = 0;     ///< inside the image
  bool bitmaps = false;            ///< persistent dirty bitmaps
  bool extended_l2 = false;
  bool external_data = false;  ///< the data lie in another file
  bool encrypted = false;
  bool corrupt = false;  ///< QEMU found it damaged, and marked it so
};

/// Reads it without QEMU: what an image refers to must be known before QEMU opens it and all of that. Anything whose
/// beginning is not qcow2's is raw. Source: docs/interop/qcow2.txt of QEMU. Throws Error: `unavailable` when the file
/// cannot be read or is none, `refused` for other formats and a header that breaks the format's rules.
ImageHeader read_header(const std::filesystem::path& file);

}  // namespace pbotvm::image

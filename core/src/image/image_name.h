// SPDX-License-Identifier: MIT
#pragma once

// Names of image files. QEMU and qemu-img take "nbd:...", "json:..." and the like for network and other protocols, and
// what begins with '-' for an option: nothing of that may be reachable from a name that a person or an image gives.

#include <filesystem>
#include <string>
#include <string_view>

namespace pbotvm::image {

inline constexpr std::size_t max_backing_name = 1023;  ///< bytes; docs/interop/qcow2 of QEMU

/// Whether QEMU would take the beginning of this name for a protocol: a colon before the first slash.
bool has_protocol(std::string_view name);

/// The text without control characters, for messages: it may come from an image that somebody else made.
std::string printable(std::string_view text);

/// The absolute path, links resolved, of a file that a person named; it need not exist. Throws Error{configuration} for
/// names that QEMU or a terminal would take for something else.
std::filesystem::path local_file(const std::string& name);

/// The absolute path of the backing file that `overlay` records as `recorded`. Throws Error{refused} for every protocol
/// other than file.
std::filesystem::path backing_path(const std::filesystem::path& overlay, const std::string& recorded);

/// How `overlay` should record that it lies on `base` (both absolute): relative where one of their directories is
/// within the other, so that the tree can be moved as a whole; else absolute. Throws Error{configuration} when it is
/// too long.
std::string backing_text(const std::filesystem::path& overlay, const std::filesystem::path& base);

}  // namespace pbotvm::image

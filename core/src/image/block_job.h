// SPDX-License-Identifier: MIT
#pragma once

// The same with images that a running machine uses, by QEMU's block jobs.
// https://www.qemu.org/docs/master/interop/live-block-operations.html

#include <cstdint>
#include <filesystem>
#include <optional>

#include "image/progress.h"

namespace pbotvm::image {

struct BlockJobOptions {
  std::optional<std::filesystem::path> base;  ///< where merging or pulling ends; see below
  std::uint64_t rate = 0;                     ///< bytes a second at most; 0: as fast as it goes
};

struct BlockJobReport {
  Outcome outcome = Outcome::done;
  bool active = false;         ///< a commit of what the machine wrote to: it writes to `base` now
  std::filesystem::path base;  ///< empty after a stream of everything
};

/// Merges the image `file` of the QEMU behind the QMP socket into the layer right below it, or into options.base. The
/// image that the machine writes to: the machine goes on with the base, which its next start must name. A layer
/// between: the one above it lies on the base then. Refused where yet others lie on it, which are found as by
/// find_overlays() in its directory and in that of the one above. A QEMU that is killed meanwhile leaves every overlay
/// with its content, and so does being cancelled. Takes as long as there are data. Throws Error: `unavailable` when
/// QEMU ends or is not there, `timed_out` when it does not answer within 30 s, `refused` with its own words.
BlockJobReport commit_running(const std::filesystem::path& socket, const std::filesystem::path& file,
                              const BlockJobOptions& options, const Watch& watch);

/// Copies into `file` what it has from the layers below it, all of them or down to options.base. Otherwise the same.
BlockJobReport stream_running(const std::filesystem::path& socket, const std::filesystem::path& file,
                              const BlockJobOptions& options, const Watch& watch);

}  // namespace pbotvm::image

// SPDX-License-Identifier: MIT
#pragma once

// Images that a machine has open: whose machine it is, and how to work on them through it.

#include <filesystem>
#include <optional>
#include <string>

#include "cli/command.h"
#include "image/block_job.h"
#include "image/image_use.h"

namespace pbotvm::cli {

/// A machine of the configured host.
struct HostMachine {
  std::string name;
  std::string snapshot;          ///< the one that the host goes back to by itself
  std::filesystem::path state;   ///< of the host
  std::filesystem::path socket;  ///< where QEMU takes a client, for QMP
  bool writes = false;           ///< the image is what the machine writes to, not one below that
};

/// What is wanted of an image, for the remedy where somebody else's machine has it.
struct ImageWish {
  std::string_view command;  ///< commit, stream, rebase
  std::filesystem::path file;
  std::optional<std::filesystem::path> base;
};

/// The host's machine behind that use; none where it is somebody else's. Throws Error{configuration}.
std::optional<HostMachine> host_machine(const Invocation& invocation, const image::ImageUse& use);

/// The host's machine that has the image open, announced on standard error; none where nobody has it. Throws
/// Error{refused} where somebody else has it, with how it is done there.
std::optional<HostMachine> host_machine_with(const Invocation& invocation, const ImageWish& wish);

/// image::stream_running() through a host's machine. What the machine is reverted to needs what the image lies on:
/// where there is such a snapshot, the host gives it up before and takes it anew afterwards, also of a stream that
/// failed; where there is none any more it is taken, or standard error says that it could not be. A machine that is to
/// be reverted meanwhile is started anew, which ends the stream and harms nothing. Throws Error: `refused` where there
/// are other snapshots; `unavailable` where the host does not answer, though there is one.
image::BlockJobReport stream_through(const HostMachine& machine, const std::filesystem::path& file,
                                     const image::BlockJobOptions& options, const image::Watch& watch);

}  // namespace pbotvm::cli

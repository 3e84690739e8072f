// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pbotvm/job.h"

namespace pbotvm::service {

/// Files as a tar archive (pax format, so that any name fits). The same files give the same bytes. Throws
/// Error{internal}.
std::string pack_files(const std::vector<JobFile>& files);

/// The files of an archive that may be damaged or made with bad intent: throws Error{protocol} where it is not one, or
/// holds anything but regular files whose paths stay below the directory that they are unpacked to, or more than
/// `max_files` or `max_bytes` of content.
std::vector<JobFile> unpack_files(std::string_view archive, std::size_t max_files, std::uint64_t max_bytes);

}  // namespace pbotvm::service

// SPDX-License-Identifier: MIT
#pragma once

// The keys of a request that speak of files. Each function throws RequestError.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "pbotvm/job.h"

namespace pbotvm::service {

/// Why a path cannot be one of a file in the job's directory; empty when it can.
std::string path_flaw(std::string_view path);

/// The key `files`: [{path, content | base64, mode}].
std::vector<JobFile> files_of(const nlohmann::json& object);

/// The key `outputs`: patterns of files to be taken back.
std::vector<std::string> outputs_of(const nlohmann::json& object);

/// The key `persist-key`; empty when there is none.
std::string persist_key_of(const nlohmann::json& object);

/// Refuses files that cannot stand side by side: of one name, or one where another needs a directory. `whose` says of
/// whom they are, in front of a file's name.
void check_tree(const std::vector<JobFile>& files, const std::string& whose);

}  // namespace pbotvm::service

// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "config/configuration.h"
#include "service/catalogue.h"

namespace pbotvm::cli {

/// Whether a word of `language test` names a file rather than a language.
bool names_a_file(const std::string& word);

/// The file's absolute path. Throws ConfigurationError where it is none that can be read, and says why: it is missing,
/// its name does not end in .yaml, a directory, a link without an end, not this user's to read ...
std::filesystem::path definition_file(const std::string& word);

/// Throws Error{refused} unless the host of this configuration serves the definition in `file`, as far as digest_of()
/// of catalogue_changes.h tells, so that nothing else is tried in its place. `entry`: the file as it was read here.
/// Changes into STATE.
void require_host_has(const config::Configuration& configuration, const std::filesystem::path& file,
                      const service::CatalogueEntry& entry);

}  // namespace pbotvm::cli

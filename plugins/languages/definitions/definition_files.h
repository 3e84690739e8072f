// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <map>
#include <vector>

#include "pbotvm/settings.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::definitions {

inline constexpr std::size_t max_definitions = 1000;  ///< files of one directory

struct DefinitionFile {
  std::filesystem::path path;
  Settings settings;
};

/// Reads the files of definitions, again and again. A host that root started becomes another user, who may be unable to
/// enter a directory above (a clone below /root): a directory that was read once is held open, and is read on through
/// that where its path is closed; one that was moved or removed since is refused then. Its own permissions and those of
/// its files count as ever. One thread at a time.
class DefinitionFiles {
 public:
  /// The `*.yaml` files of the directory, by their names' order; what is a file itself counts as a directory that holds
  /// nothing else. Throws ConfigurationError, or Error for a directory that cannot be read.
  std::vector<DefinitionFile> read(const std::filesystem::path& path);

 private:
  struct Held {
    UniqueFd fd;
    std::filesystem::path place;  // where it was when it was opened
  };

  std::filesystem::path way_to(const std::filesystem::path& directory);
  std::map<std::filesystem::path, Held> held_;
};

}  // namespace pbotvm::definitions

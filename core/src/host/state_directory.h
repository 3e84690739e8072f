// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "host/privileges.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::host {

/// STATE: made where it is missing, locked against a second host, and from then on the working directory, so that every
/// path below it is short and does not depend on who may enter its parents.
class StateDirectory {
 public:
  /// Makes `path` and the directories `below` it, gives them to `owner`, and changes into it. Throws Error{unavailable}
  /// where another host holds it.
  StateDirectory(const std::filesystem::path& path, const std::vector<std::string>& below,
                 const std::optional<DaemonUser>& owner);

 private:
  UniqueFd lock_;  // held as long as this lives
};

}  // namespace pbotvm::host

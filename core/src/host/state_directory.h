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
/// path below it is short and does not depend on who may enter its parents. At its end host.pid goes, and so do those
/// of the directories that it made and that are empty: a start that fails leaves nothing behind.
class StateDirectory {
 public:
  /// Makes `path` and the directories `below` it, gives them to `owner`, and changes into it. Throws Error{unavailable}
  /// where another host holds it.
  StateDirectory(const std::filesystem::path& path, const std::vector<std::string>& below,
                 const std::optional<DaemonUser>& owner);

 private:
  /// Removes what was made, the last first, as far as it is empty and this user may.
  class Made {
   public:
    ~Made();
    void directories(const std::filesystem::path& path);
    void file(const std::string& path) { file_ = path; }

   private:
    std::vector<std::filesystem::path> directories_;
    std::string file_;
  };

  static UniqueFd take_lock(const std::filesystem::path& path);

  UniqueFd lock_;  // held as long as this lives, which is longer than the file has its name
  Made made_;
};

}  // namespace pbotvm::host

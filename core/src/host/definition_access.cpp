// SPDX-License-Identifier: MIT
#include "host/definition_access.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>

namespace pbotvm::host {

namespace {

namespace fs = std::filesystem;

constexpr mode_t to_read = 04, to_enter = 01;
constexpr std::string_view instead_of = ", instead of ";  // between two files, in a language's origin

// True for what cannot be looked at: that is another mistake.
bool may(const DaemonUser& user, const fs::path& path, mode_t wanted) {
  struct stat found {};
  if (user.uid == 0 || ::stat(path.c_str(), &found) != 0) return true;
  const bool in_group =
      user.gid == found.st_gid || std::find(user.groups.begin(), user.groups.end(), found.st_gid) != user.groups.end();
  const int shift = user.uid == found.st_uid ? 6 : in_group ? 3 : 0;
  return (found.st_mode >> shift & wanted) == wanted;
}

std::set<fs::path> files_of(const service::Catalogue& catalogue) {
  std::set<fs::path> files;
  for (const auto& entry : catalogue.entries()) {
    const std::string& origin = entry.details.origin;
    const auto second = origin.find(instead_of);
    if (!origin.empty()) files.insert(origin.substr(0, second));
    if (second != origin.npos) files.insert(origin.substr(second + instead_of.size()));
  }
  return files;
}

}  // namespace

std::vector<std::string> definitions_out_of_reach(const config::Configuration& configuration,
                                                  const service::Catalogue& catalogue, const DaemonUser& user) {
  std::vector<std::string> lines;
  const auto look_at = [&](const fs::path& path, mode_t wanted) {
    if (may(user, path, wanted)) return;
    lines.push_back(path.string() + " was read as root, and user " + user.name +
                    " may not read it: SIGHUP will leave all languages as they are; chmod o+r" +
                    (wanted == to_read ? " " : "x ") + "makes it readable");
  };
  for (const auto& path : configuration.languages) {
    std::error_code error;
    if (fs::is_directory(path, error)) look_at(path, to_read | to_enter);
  }
  for (const auto& file : files_of(catalogue)) look_at(file, to_read);
  return lines;
}

}  // namespace pbotvm::host

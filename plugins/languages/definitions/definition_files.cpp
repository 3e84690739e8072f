// SPDX-License-Identifier: MIT
#include "definition_files.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>

#include "pbotvm/error.h"

namespace pbotvm::definitions {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void refuse(const fs::path& path, const std::error_code& error) {
  throw Error(ErrorCode::configuration, "read language definitions in " + path.string() + ": " + error.message(),
              error == std::errc::permission_denied
                  ? "let the host's user read it and enter the directories above it"
                  : "name existing directories in host.languages or PBOTVM_LANGUAGES");
}

std::vector<fs::path> yaml_names(const fs::path& way, const fs::path& directory) {
  std::vector<fs::path> names;
  std::error_code error;
  for (fs::directory_iterator at(way, error), end; !error && at != end; at.increment(error))
    if (at->path().extension() == ".yaml") names.push_back(at->path().filename());
  if (error) refuse(directory, error);
  for (const auto& name : names)  // a FIFO would be waited for
    if (fs::exists(way / name, error) && !fs::is_regular_file(way / name, error))
      throw Error(ErrorCode::configuration, (directory / name).string() + " is no regular file",
                  "take it out of " + directory.string());
  if (names.size() > max_definitions)
    throw Error(ErrorCode::configuration,
                directory.string() + " holds more than " + std::to_string(max_definitions) + " definitions",
                "name another directory in host.languages");
  std::sort(names.begin(), names.end());
  return names;
}

fs::path through(const UniqueFd& fd) {
  return "/proc/self/fd/" + std::to_string(fd.get());
}

}  // namespace

// The directory itself, so that one that took its place is seen, or what is held of it.
fs::path DefinitionFiles::way_to(const fs::path& directory) {
  UniqueFd fd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (fd) {
    fs::path place = fs::read_symlink(through(fd));
    held_[directory] = {std::move(fd), std::move(place)};
    return directory;
  }
  const std::error_code error(errno, std::generic_category());
  const auto held = held_.find(directory);
  if (error != std::errc::permission_denied || held == held_.end()) refuse(directory, error);
  fs::path way = through(held->second.fd);
  if (fs::read_symlink(way) != held->second.place)
    throw Error(ErrorCode::configuration,
                "read language definitions in " + directory.string() +
                    ": the directory was moved or removed, and the host's user cannot enter those above it",
                "restart the host");
  return way;
}

std::vector<DefinitionFile> DefinitionFiles::read(const fs::path& path) {
  std::error_code error;
  const fs::path directory = path.has_parent_path() ? path.parent_path() : ".";
  const bool is_file = fs::is_regular_file(path, error) ||
                       (error == std::errc::permission_denied && !held_.contains(path) && held_.contains(directory));
  if (is_file) return {{path, Settings::load(way_to(directory) / path.filename(), path.string())}};
  const fs::path way = way_to(path);
  std::vector<DefinitionFile> files;
  for (const fs::path& name : yaml_names(way, path))
    files.push_back({path / name, Settings::load(way / name, (path / name).string())});
  return files;
}

}  // namespace pbotvm::definitions

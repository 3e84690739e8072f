// SPDX-License-Identifier: MIT
#include "host/state_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "pbotvm/error.h"

namespace pbotvm::host {

namespace {

namespace fs = std::filesystem;

constexpr auto directory_mode = fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec;

[[noreturn]] void refuse(const std::string& tried, const std::string& why) {
  throw Error(ErrorCode::configuration, tried + ": " + why,
              "choose a place that can be written with host.state or PBOTVM_STATE");
}

void make_state(const fs::path& path, const std::optional<DaemonUser>& owner) {
  std::error_code error;
  const bool made = fs::create_directories(path, error);
  if (error) refuse("make the directory " + path.string(), error.message());
  if (made) fs::permissions(path, directory_mode, error);
  if (owner && ::chown(path.c_str(), owner->uid, owner->gid) != 0) {
    refuse("give " + path.string() + " to user '" + owner->name + "'", errno_text("chown", errno));
  }
}

std::string read_holder(int fd) {
  char text[32] = {};
  const ssize_t got = ::pread(fd, text, sizeof text - 1, 0);
  std::string holder(text, got > 0 ? static_cast<std::size_t>(got) : 0);
  while (!holder.empty() && holder.back() == '\n') holder.pop_back();
  return holder;
}

}  // namespace

StateDirectory::StateDirectory(const fs::path& path, const std::vector<std::string>& below,
                               const std::optional<DaemonUser>& owner) {
  make_state(path, owner);
  if (::chdir(path.c_str()) != 0) {
    throw Error(ErrorCode::configuration, errno_text("change into " + path.string(), errno));
  }
  const ActingAs acting(owner);
  lock_.reset(::open("host.pid", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!lock_) refuse("open " + (path / "host.pid").string(), errno_text("open", errno));
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    throw Error(
        ErrorCode::unavailable,
        "another pbotvm-host (pid " + read_holder(lock_.get()) + ") runs with the state directory " + path.string(),
        "end it first, or give this one a directory of its own with PBOTVM_STATE");
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock_.get(), 0) != 0 || ::pwrite(lock_.get(), pid.data(), pid.size(), 0) < 0) {
    refuse("write " + (path / "host.pid").string(), errno_text("write", errno));
  }
  for (const auto& directory : below) {
    std::error_code error;
    fs::create_directories(directory, error);
    if (error) refuse("make the directory " + (path / directory).string(), error.message());
    fs::permissions(directory, directory_mode, error);
  }
}

}  // namespace pbotvm::host

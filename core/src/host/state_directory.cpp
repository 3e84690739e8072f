// SPDX-License-Identifier: MIT
#include "host/state_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <system_error>
#include <thread>

#include "pbotvm/deadline.h"
#include "pbotvm/error.h"

namespace pbotvm::host {

namespace {

namespace fs = std::filesystem;

constexpr const char* pid_file = "host.pid";

constexpr std::chrono::seconds patience_with_the_dead{5};

constexpr auto directory_mode = fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec;

[[noreturn]] void refuse(const std::string& tried, const std::string& why) {
  throw Error(ErrorCode::configuration, tried + ": " + why,
              "choose a place that can be written with host.state or PBOTVM_STATE");
}

void give_to(const std::optional<DaemonUser>& owner, const fs::path& path) {
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

bool is_alive(const std::string& holder) {
  pid_t pid = 0;
  std::from_chars(holder.data(), holder.data() + holder.size(), pid);
  return pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM);
}

// A host that was killed may have left a child on its way into another program, which holds a copy of the lock until it
// has got there. False: somebody holds it on.
bool lock_after(int fd, std::chrono::milliseconds patience) {
  using namespace std::chrono_literals;
  const auto deadline = Deadline::in(patience);
  for (auto pause = 1ms; ::flock(fd, LOCK_EX | LOCK_NB) != 0; pause = std::min(2 * pause, 100ms)) {
    if (deadline.expired() || is_alive(read_holder(fd))) return false;
    std::this_thread::sleep_for(pause);
  }
  return true;
}

// Whether the open file is the one of that name: a host that ends removes its file, and one that has just opened it
// would hold the lock of a file that nobody else finds.
bool is_still_named(const UniqueFd& file, const char* name) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(file.get(), &opened) == 0 && ::stat(name, &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

}  // namespace

StateDirectory::Made::~Made() {
  if (!file_.empty()) ::unlink(file_.c_str());
  for (auto path = directories_.rbegin(); path != directories_.rend(); ++path) ::rmdir(path->c_str());
}

// With those parents that are missing.
void StateDirectory::Made::directories(const fs::path& path) {
  std::vector<fs::path> missing;
  std::error_code error;
  for (auto one = path; !one.empty() && !fs::exists(one, error); one = one.parent_path()) {
    if (one.has_filename()) missing.push_back(one);
  }
  for (auto one = missing.rbegin(); one != missing.rend(); ++one) {
    if (fs::create_directory(*one, error)) directories_.push_back(*one);
    if (error) refuse("make the directory " + fs::absolute(path).string(), error.message());
  }
}

StateDirectory::StateDirectory(const fs::path& path, const std::vector<std::string>& below,
                               const std::optional<DaemonUser>& owner) {
  std::error_code error;
  const bool there = fs::exists(path, error);
  made_.directories(path);
  if (!there) fs::permissions(path, directory_mode, error);
  give_to(owner, path);
  if (::chdir(path.c_str()) != 0) {
    throw Error(ErrorCode::configuration, errno_text("change into " + path.string(), errno));
  }
  const ActingAs acting(owner);
  lock_ = take_lock(path);
  made_.file(pid_file);
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock_.get(), 0) != 0 || ::pwrite(lock_.get(), pid.data(), pid.size(), 0) < 0) {
    refuse("write " + (path / pid_file).string(), errno_text("write", errno));
  }
  for (const auto& directory : below) {
    made_.directories(directory);
    fs::permissions(directory, directory_mode, error);
  }
}

UniqueFd StateDirectory::take_lock(const fs::path& path) {
  for (;;) {
    UniqueFd lock(::open(pid_file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (!lock) refuse("open " + (path / pid_file).string(), errno_text("open", errno));
    if (!lock_after(lock.get(), patience_with_the_dead)) {
      const std::string holder = read_holder(lock.get());
      if (!is_alive(holder)) {
        throw Error(ErrorCode::unavailable,
                    "a program that a pbotvm-host left behind holds " + (path / pid_file).string() + " locked",
                    "'fuser " + (path / pid_file).string() + "' tells which one it is; end it first");
      }
      throw Error(ErrorCode::unavailable,
                  "another pbotvm-host (pid " + holder + ") runs with the state directory " + path.string(),
                  "end it first, or give this one a directory of its own with PBOTVM_STATE");
    }
    if (is_still_named(lock, pid_file)) return lock;
  }
}

}  // namespace pbotvm::host

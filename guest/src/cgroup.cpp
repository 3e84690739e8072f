// SPDX-License-Identifier: MIT
#include "cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>

#include "system.h"

namespace pbotvm::guest {
namespace {

constexpr const char* name_prefix = "job-";

UniqueFd open_in(int directory, const char* name) {
  return UniqueFd(openat(directory, name, O_RDONLY | O_CLOEXEC));
}

std::string bound_text(std::uint64_t bound) {
  return bound == 0 ? "max" : std::to_string(bound);
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

JobCgroup::JobCgroup(int parent, const Bounds& bounds) : parent_(parent) {
  static std::uint64_t last_number = 0;  // one thread; a name is never used twice
  do {
    name_ = name_prefix + std::to_string(++last_number);
  } while (mkdirat(parent, name_.c_str(), 0755) < 0 && errno == EEXIST);
  directory_ = UniqueFd(openat(parent, name_.c_str(), O_DIRECTORY | O_RDONLY | O_CLOEXEC));
  if (!directory_) throw SystemError("control group " + name_);
  peak_ = open_in(directory_.get(), "memory.peak");
  present_ = open_in(directory_.get(), "memory.current");
  pids_events_ = open_in(directory_.get(), "pids.events");
  events_ = open_in(directory_.get(), "cgroup.events");
  cpu_ = open_in(directory_.get(), "cpu.stat");  // there without any controller
  bound(bounds);
  // A job ends as a whole when its memory is used up. Absent where there is no memory controller: check() tells.
  try {
    write_file_at(directory_.get(), "memory.oom.group", "1");
  } catch (const SystemError&) {
  }
}

JobCgroup::~JobCgroup() {
  if (unlinkat(parent_, name_.c_str(), AT_REMOVEDIR) < 0) log_line("control group " + name_ + ": " + error_text(errno));
}

void JobCgroup::check() const {
  if (!events_) throw SystemError("cgroup.events", ENOENT);
  if (faccessat(directory_.get(), "cgroup.kill", W_OK, 0) < 0) throw SystemError("cgroup.kill");
  if (!empty()) throw SystemError("a new control group is not empty", EBUSY);
}

void JobCgroup::bound(const Bounds& bounds) {
  if (bounds.memory != bounds_.memory) write_file_at(directory_.get(), "memory.max", bound_text(bounds.memory));
  if (bounds.processes != bounds_.processes) write_file_at(directory_.get(), "pids.max", bound_text(bounds.processes));
  bounds_ = bounds;
}

void JobCgroup::kill() {
  write_file_at(directory_.get(), "cgroup.kill", "1");
}

bool JobCgroup::empty() const {
  return number_behind(read_again(events_.get()), "populated", 1) == 0;
}

bool JobCgroup::memory_struck() const {
  return number_behind(read_again(open_in(directory_.get(), "memory.events").get()), "oom_kill", 0) > 0;
}

std::uint64_t JobCgroup::refused_forks() const {
  return number_behind(read_again(pids_events_.get()), "max", 0);
}

std::uint64_t JobCgroup::peak_memory() const {
  return number_of(read_again(peak_.get()));
}

std::uint64_t JobCgroup::present_memory() const {
  return number_of(read_again(present_.get()));
}

CpuTime JobCgroup::cpu_used() const {
  const std::string text = read_again(cpu_.get());
  const auto time = [&](const char* key) {
    return std::chrono::microseconds(static_cast<std::int64_t>(number_behind(text, key, 0)));
  };
  return {time("usage_usec"), time("user_usec"), time("system_usec")};
}

void JobCgroup::remove_leftovers(int parent) {
  DIR* directory = fdopendir(openat(parent, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC));
  if (!directory) return;
  while (const dirent* entry = readdir(directory)) {
    if (std::string_view(entry->d_name).starts_with(name_prefix)) unlinkat(parent, entry->d_name, AT_REMOVEDIR);
  }
  closedir(directory);
}

}  // namespace pbotvm::guest

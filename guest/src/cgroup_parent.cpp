// SPDX-License-Identifier: MIT
#include "cgroup_parent.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "cgroup.h"
#include "system.h"

namespace pbotvm::guest {
namespace {

const std::string root = "/sys/fs/cgroup";
const std::string place = root + "/pbotvm";

constexpr std::uint64_t mib = 1 << 20;
constexpr std::uint64_t part_for_system = 8;  // of the machine's memory, and at least and at most:
constexpr std::uint64_t least_for_system = 48 * mib, most_for_system = 256 * mib;
constexpr const char* most_groups = "1024";  // far more than there are sandboxes, which come and go

bool contains_word(std::string_view text, std::string_view word) {
  bool found = false;
  for_each_part(text, ' ', [&](std::string_view part) {
    while (part.ends_with('\n')) part.remove_suffix(1);
    found = found || part == word;
  });
  return found;
}

void bound_memory() {
  struct sysinfo info {};
  sysinfo(&info);
  const std::uint64_t machine = static_cast<std::uint64_t>(info.totalram) * info.mem_unit;
  write_file(place + "/memory.max", std::to_string(memory_for_jobs(machine)));
  const std::string swap = place + "/memory.swap.max";
  if (access(swap.c_str(), F_OK) == 0) write_file(swap, "0");  // absent in a kernel that cannot swap
}

std::uint64_t number_in(const std::string& path) {
  const std::string text = read_file(path);
  std::uint64_t number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc())
    throw SystemError(path, EINVAL);
  return number;
}

// A quarter of what the kernel can tell apart is left to the system.
void bound_processes() {
  const auto most = std::min(number_in("/proc/sys/kernel/threads-max"), number_in("/proc/sys/kernel/pid_max"));
  write_file(place + "/pids.max", std::to_string(most / 4 * 3));
}

std::string enable(const std::string& available, const std::string& controller) {
  if (!contains_word(available, controller)) return "no " + controller + " controller in control groups";
  try {
    write_file(root + "/cgroup.subtree_control", "+" + controller);
    if (controller == "memory") bound_memory();
    if (controller == "pids") bound_processes();
    write_file(place + "/cgroup.subtree_control", "+" + controller);
  } catch (const SystemError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

std::uint64_t memory_for_jobs(std::uint64_t machine) {
  const std::uint64_t kept = std::clamp(machine / part_for_system, least_for_system, most_for_system);
  return machine - std::min(kept, machine / 2);
}

CgroupParent::CgroupParent() {
  struct statfs info {};
  if (statfs(root.c_str(), &info) < 0) throw SystemError(root);
  if (info.f_type != CGROUP2_SUPER_MAGIC) throw SystemError(root + " is no control group version 2", EOPNOTSUPP);
  const std::string available = read_file(root + "/cgroup.controllers");
  if (mkdir(place.c_str(), 0755) < 0 && errno != EEXIST) throw SystemError("mkdir " + place);
  for (const char* controller : {"memory", "pids", "cpu"}) missing_[controller] = enable(available, controller);
  write_file(place + "/cgroup.max.depth", "1");
  write_file(place + "/cgroup.max.descendants", most_groups);
  directory_.reset(open(place.c_str(), O_DIRECTORY | O_RDONLY | O_CLOEXEC));
  if (!directory_) throw SystemError("open " + place);
  JobCgroup::remove_leftovers(directory_.get());
  JobCgroup(directory_.get(), Bounds{}).check();
}

}  // namespace pbotvm::guest

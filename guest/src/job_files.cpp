// SPDX-License-Identifier: MIT
#include "job_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "mount_view.h"
#include "system.h"

namespace pbotvm::guest {
namespace {

constexpr unsigned long data_only = MS_NOSUID | MS_NODEV;
constexpr unsigned long no_programs = data_only | MS_NOEXEC;

constexpr std::uint64_t part_for_work = 2;
constexpr const char* files_in_work = "16384";

// Most can be read or written by root only; a job is not to learn whether that holds.
constexpr const char* hidden_files[] = {"/proc/kcore",      "/proc/kmsg",          "/proc/keys",
                                        "/proc/key-users",  "/proc/kallsyms",      "/proc/sysrq-trigger",
                                        "/proc/timer_list", "/proc/latency_stats", "/proc/sched_debug"};
constexpr const char* hidden_directories[] = {"/proc/acpi", "/proc/asound", "/proc/bus", "/proc/driver",
                                              "/proc/fs",   "/proc/irq",    "/proc/scsi"};

void do_mount(const char* source, const std::string& target, const char* type, unsigned long flags,
              const std::string& data) {
  if (mount(source, target.c_str(), type, flags, data.c_str()) < 0) {
    throw SystemError(std::string("mount ") + source + " on " + target);
  }
}

// What this kernel does not have need not be hidden.
void hide(const char* path, const char* behind) {
  if (mount(behind, path, nullptr, MS_BIND, nullptr) < 0 && errno != ENOENT) {
    throw SystemError(std::string("hide ") + path);
  }
}

void mount_proc() {
  do_mount("proc", "/proc", "proc", no_programs, "hidepid=2");
  for (const char* path : hidden_files) hide(path, closed_file);
  for (const char* path : hidden_directories) hide(path, empty_directory);
  do_mount("/proc/sys", "/proc/sys", nullptr, MS_BIND, "");
  do_mount("none", "/proc/sys", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | no_programs, "");
}

bool nothing_in(const char* directory) {
  struct statfs now {};
  if (statfs(directory, &now) < 0) return errno == ENOENT;
  return now.f_bfree == now.f_blocks && now.f_ffree + 1 == now.f_files;  // one inode: the directory itself
}

bool no_terminals() {
  DIR* const directory = opendir("/dev/pts");
  if (!directory) return false;
  int entries = 0;
  while (readdir(directory)) ++entries;
  closedir(directory);
  return entries == 3;  // itself, the one above, ptmx
}

off_t size_of(int directory) {
  struct stat info {};
  return fstat(directory, &info) == 0 ? info.st_size : -1;
}

/// The namespace's own POSIX message queues, seen through a mount that no job can reach. `place`: a directory to mount
/// them on for a moment.
UniqueFd open_message_queues(const std::string& place) {
  if (mount("mqueue", place.c_str(), "mqueue", no_programs, nullptr) < 0) {
    if (errno == ENODEV) return {};  // a kernel without them
    throw SystemError("mount mqueue");
  }
  UniqueFd directory(open(place.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory || umount2(place.c_str(), MNT_DETACH) < 0) throw SystemError("unmount mqueue");
  return directory;
}

std::uint64_t machine_memory() {
  struct sysinfo info {};
  sysinfo(&info);
  return static_cast<std::uint64_t>(info.totalram) * info.mem_unit;
}

}  // namespace

/// One that every program may write to.
struct JobFiles::SharedDirectory {
  const char *path, *also;  // `also`: where it is seen, too
  std::uint64_t part;       // of the job's memory
  const char* files;        // at most
};

constexpr JobFiles::SharedDirectory JobFiles::shared_directories[] = {{"/tmp", "/var/tmp", 2, "16384"},
                                                                      {"/dev/shm", nullptr, 4, "4096"}};

JobFiles::JobFiles(const WardenPlan& plan) : plan_(plan), memory_(plan.memory) {
  for (const auto& directory : shared_directories) mount_shared(directory);
  if (plan.devices)
    do_mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "ptmxmode=666,mode=620,gid=5,max=64");
  make_path(plan.work);
  message_queues_ = open_message_queues(plan.work);
  if (message_queues_) no_queues_ = size_of(message_queues_.get());  // the longer the more queues there are
  mount_proc();
}

/// A part of what the job may use; more than all of it together may be written in no case, see the control group.
std::string JobFiles::room(std::uint64_t part) const {
  const std::uint64_t machine = machine_memory();
  const std::uint64_t memory = memory_ == 0 ? machine : std::min(memory_, machine);
  return "size=" + std::to_string(memory / part);
}

void JobFiles::mount_shared(const SharedDirectory& directory, unsigned long flags) const {
  const auto& [path, also, part, files] = directory;
  if (access(path, F_OK) != 0) return;
  do_mount("tmpfs", path, "tmpfs", data_only | flags, room(part) + ",nr_inodes=" + files + ",mode=1777");
  if (flags == 0 && also && access(also, F_OK) == 0) do_mount(path, also, nullptr, MS_BIND, "");
}

// What is empty stays; what is not is replaced, which fails as long as anything of it is in use.
bool JobFiles::renew_shared(const SharedDirectory& directory, bool other_room) const {
  if (!nothing_in(directory.path)) {
    if (directory.also && access(directory.also, F_OK) == 0 && umount2(directory.also, 0) < 0) return false;
    if (umount2(directory.path, 0) < 0) return false;
    mount_shared(directory);
  } else if (other_room) {
    mount_shared(directory, MS_REMOUNT);
  }
  return true;
}

void JobFiles::mount_work() const {
  do_mount("tmpfs", plan_.work, "tmpfs", data_only,
           room(part_for_work) + ",nr_inodes=" + files_in_work + ",mode=755,uid=" + std::to_string(plan_.uid) +
               ",gid=" + std::to_string(plan_.gid));
}

bool JobFiles::untouched() const {
  if (plan_.devices && !no_terminals()) return false;
  return !message_queues_ || size_of(message_queues_.get()) == no_queues_;
}

bool JobFiles::renew(std::uint64_t memory) {
  if (umount2(plan_.work.c_str(), 0) < 0) return false;
  const bool other_room = std::exchange(memory_, memory) != memory;
  for (const auto& directory : shared_directories) {
    if (!renew_shared(directory, other_room)) return false;
  }
  make_path(plan_.work);  // it may have been in one of these
  mount_work();
  return true;
}

}  // namespace pbotvm::guest

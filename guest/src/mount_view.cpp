// SPDX-License-Identifier: MIT
#include "mount_view.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "process.h"
#include "system.h"

namespace pbotvm::guest {
namespace {

constexpr unsigned long closed = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
constexpr const char* small = "mode=755,size=64k,nr_inodes=64";  // for a tmpfs of a few names

/// Of the kernel's files what run-time systems look at: processors and their caches, memory nodes, huge pages.
constexpr const char* kernel_files[] = {"/sys/devices/system/cpu", "/sys/devices/system/node",
                                        "/sys/kernel/mm/transparent_hugepage"};

struct Device {
  const char* path;
  unsigned major, minor;
};
constexpr Device devices_of_a_job[] = {{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
                                       {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0}};

struct Link {
  const char *path, *target;
};
constexpr Link links_of_dev[] = {{"/dev/fd", "/proc/self/fd"},
                                 {"/dev/stdin", "/proc/self/fd/0"},
                                 {"/dev/stdout", "/proc/self/fd/1"},
                                 {"/dev/stderr", "/proc/self/fd/2"},
                                 {"/dev/ptmx", "pts/ptmx"}};

void check(int result, const std::string& what) {
  if (result < 0) throw SystemError(what);
}

void detach(const char* path) {
  while (umount2(path, MNT_DETACH) == 0) {  // one may cover another
  }
}

void mount_small(const char* path, unsigned long flags) {
  check(mount("tmpfs", path, "tmpfs", flags, small), std::string("mount a tmpfs on ") + path);
}

void close_mount(const char* path, unsigned long flags) {
  check(mount(nullptr, path, nullptr, MS_REMOUNT | MS_BIND | flags, nullptr), std::string("make read-only: ") + path);
}

struct Tree {
  const char* path;
  UniqueFd fd;
};

std::vector<Tree> take_kernel_files() {
  std::vector<Tree> trees;
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  for (const char* path : kernel_files) {
    UniqueFd tree(open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    if (!tree && errno == ENOENT) continue;
    check(tree.get(), std::string("open_tree ") + path);
    check(mount_setattr(tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes), "mount_setattr");
    trees.push_back({path, std::move(tree)});
  }
  return trees;
}

void make_sys(const std::vector<Tree>& trees) {
  mount_small("/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC);
  make_path(empty_directory);
  make_path("/sys/kernel");
  check(UniqueFd(open(closed_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0)).get(), closed_file);
  for (const auto& tree : trees) {
    make_path(tree.path);
    check(move_mount(tree.fd.get(), "", AT_FDCWD, tree.path, MOVE_MOUNT_F_EMPTY_PATH),
          std::string("move_mount ") + tree.path);
  }
  close_mount("/sys", closed);
}

/// Where a machine's names are looked up may be written below /run.
struct ResolverFile {
  std::string path, text;
};

ResolverFile read_resolver_file() {
  char path[PATH_MAX];
  if (!realpath("/etc/resolv.conf", path) || !std::string_view(path).starts_with("/run/")) return {};
  return {path, read_file(path)};
}

// The sockets of the machine's daemons lie in /run, and a socket is not protected by being on something read-only.
void make_run(const ResolverFile& resolver) {
  mount_small("/run", MS_NOSUID | MS_NODEV | MS_NOEXEC);
  if (!resolver.path.empty()) {
    make_path(resolver.path.substr(0, resolver.path.rfind('/')));
    const UniqueFd file(open(resolver.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    check(file.get(), resolver.path);
    check(static_cast<int>(write(file.get(), resolver.text.data(), resolver.text.size())), resolver.path);
  }
  close_mount("/run", closed);
}

void make_dev() {
  mount_small("/dev", MS_NOSUID | MS_NOEXEC);
  for (const auto& [path, major, minor] : devices_of_a_job)
    check(mknod(path, S_IFCHR | 0666, makedev(major, minor)), path);
  for (const auto& [path, target] : links_of_dev) check(symlink(target, path), path);
  check(mkdir("/dev/pts", 0755), "/dev/pts");
  check(mkdir("/dev/shm", 0755), "/dev/shm");
  close_mount("/dev", MS_RDONLY | MS_NOSUID | MS_NOEXEC);
}

void make_view(const std::string& work, bool devices) {
  umask(0);
  check(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "make mounts private");
  make_path(work);
  const ResolverFile resolver = read_resolver_file();
  const std::vector<Tree> trees = take_kernel_files();
  for (const char* path : {"/proc", "/sys", "/run", "/tmp"}) detach(path);
  if (devices) detach("/dev");
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | (devices ? MOUNT_ATTR_NODEV : 0);
  check(mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attributes, sizeof attributes), "make mounts read-only");
  make_sys(trees);
  make_run(resolver);
  if (devices) make_dev();
}

constexpr const char* made = "made";

// Says how it went and waits to be ended: its namespace is taken from it.
[[noreturn]] void run_maker(int words, const std::string& work, bool devices) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::string word = made;
  try {
    make_view(work, devices);
  } catch (const SystemError& error) {
    word = error.what();
  }
  if (write(words, word.data(), word.size()) < 0) _exit(1);
  for (;;) pause();
}

}  // namespace

void make_path(const std::string& path) {
  for (auto slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    if (mkdir(path.substr(0, slash).c_str(), 0755) < 0 && errno != EEXIST && errno != EROFS) {
      throw SystemError("mkdir " + path);
    }
    if (slash == path.npos) return;
  }
}

UniqueFd make_mount_view(const std::string& work, bool devices) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) throw SystemError("pipe2");
  const UniqueFd mine(ends[0]);
  UniqueFd other(ends[1]);
  Process maker = fork_process(CLONE_NEWNS, -1);
  if (!maker) run_maker(other.get(), work, devices);
  other.reset();
  char text[512];
  const auto size = read(mine.get(), text, sizeof text);
  const std::string word(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  const std::string path = "/proc/" + std::to_string(maker.pid()) + "/ns/mnt";
  UniqueFd view(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const int error = errno;
  maker.end();
  if (word != made) throw std::runtime_error(word.empty() ? "its maker ended" : word);
  if (!view) throw SystemError("open " + path, error);
  return view;
}

}  // namespace pbotvm::guest

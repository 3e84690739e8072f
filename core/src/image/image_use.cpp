// SPDX-License-Identifier: MIT
#include "image/image_use.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

#include "image/image_name.h"
#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::image {

namespace {

namespace fs = std::filesystem;

// One byte for each permission that its holder has, and one for each that it leaves to nobody else: consistent read,
// write, write unchanged, resize.
constexpr off_t held = 100, not_shared = 200;
constexpr off_t reading = 0, writing = 1, permissions = 4;
constexpr std::size_t max_command_line = 256 * 1024;  // bytes
constexpr std::string_view libvirt_monitor = "chardev=charmonitor,id=monitor,mode=control";

bool locked(int fd, const fs::path& file, off_t start, off_t length) {
  struct ::flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  if (::fcntl(fd, F_OFD_GETLK, &lock) != 0)
    throw Error(ErrorCode::unavailable, errno_text("ask for the locks of " + file.string(), errno));
  return lock.l_type != F_UNLCK;
}

bool holds(const fs::path& process, const struct ::stat& image) {
  std::error_code error;
  for (fs::directory_iterator fd(process / "fd", error), end; !error && fd != end; fd.increment(error)) {
    struct ::stat status {};
    if (::stat(fd->path().c_str(), &status) == 0 && status.st_ino == image.st_ino && status.st_dev == image.st_dev)
      return true;
  }
  return false;
}

// Takes from the arguments of a QEMU "pbot-vm" of `-name guest=pbot-vm,debug-threads=on` and of `-name pbot-vm`, and
// whether libvirt speaks to it.
void read_arguments(const fs::path& process, ImageUse& found) {
  std::ifstream file(process / "cmdline", std::ios::binary);
  std::string word, previous;
  for (std::size_t read = 0; read < max_command_line && std::getline(file, word, '\0'); read += word.size() + 1) {
    if (previous == "-name") {
      std::string name = word.substr(0, word.find(','));
      if (name.rfind("guest=", 0) == 0) name.erase(0, 6);
      found.machine = printable(name);
    }
    if (word == libvirt_monitor) found.libvirt = true;
    previous = word;
  }
}

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void find_process(const struct ::stat& image, ImageUse& found) {
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (!is_number(name) || name == std::to_string(::getpid()) || !holds(entry->path(), image)) continue;
    found.pid = static_cast<pid_t>(std::stol(name));
    std::error_code ignored;
    found.directory = fs::read_symlink(entry->path() / "cwd", ignored);
    read_arguments(entry->path(), found);
    if (!found.machine.empty()) return;  // a helper that inherited the descriptor has no machine
  }
}

}  // namespace

std::string ImageUse::text() const {
  if (use == Use::none) return "no";
  std::string who = "another process";
  if (pid != 0) who = (machine.empty() ? "process " : "QEMU process ") + std::to_string(pid);
  if (!machine.empty()) who += (libvirt ? " (domain '" : " (machine '") + machine + (libvirt ? "' of libvirt)" : "')");
  return (use == Use::write ? "written by " : "read by ") + who;
}

ImageUse image_use(const fs::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct ::stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0)
    throw Error(ErrorCode::unavailable, errno_text("open the image " + file.string(), errno));
  ImageUse result;
  if (locked(fd.get(), file, held + writing, permissions - writing)) {
    result.use = Use::write;
  } else if (locked(fd.get(), file, held + reading, 1) || locked(fd.get(), file, not_shared, permissions)) {
    result.use = Use::read;
  }
  if (result.use != Use::none) find_process(status, result);
  return result;
}

}  // namespace pbotvm::image

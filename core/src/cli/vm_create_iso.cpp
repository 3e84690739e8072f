// SPDX-License-Identifier: MIT
#include "cli/vm_create_iso.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <set>

#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::cli {

namespace {

constexpr std::size_t block = 64 * 1024;                    // bytes read at once
constexpr std::uint64_t max_file = std::uint64_t{1} << 30;  // bytes of a kernel or an initrd
constexpr std::size_t max_entries = 1'000'000;              // files of one ISO that are looked at

const std::array<IsoInstaller, 4>& layouts() {
  static const std::array<IsoInstaller, 4> known = {{
      {"Debian", "install.amd/vmlinuz", "install.amd/initrd.gz", ""},
      {"Debian (mini.iso)", "linux", "initrd.gz", ""},
      {"Fedora", "images/pxeboot/vmlinuz", "images/pxeboot/initrd.img", "inst.repo=cdrom inst.text"},
      {"openSUSE", "boot/x86_64/loader/linux", "boot/x86_64/loader/initrd", "install=cd:/ textmode=1"},
  }};
  return known;
}

struct CloseArchive {
  void operator()(struct ::archive* opened) const { ::archive_read_free(opened); }
};
using Archive = std::unique_ptr<struct ::archive, CloseArchive>;

Archive open_iso(const std::filesystem::path& iso) {
  const UniqueFd fd(::open(iso.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));  // a FIFO would have it wait
  struct ::stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0)
    throw Error(ErrorCode::unavailable, errno_text(iso.string(), errno), "name the installer's ISO");
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
    throw Error(ErrorCode::refused, iso.string() + " is neither a file nor a disc", "name the installer's ISO");
  Archive opened(::archive_read_new());
  if (!opened) throw Error(ErrorCode::internal, "no memory to read " + iso.string());
  ::archive_read_support_format_iso9660(opened.get());
  if (::archive_read_open_filename(opened.get(), iso.c_str(), block) != ARCHIVE_OK)
    throw Error(ErrorCode::refused, iso.string() + " cannot be read as an ISO: " + ::archive_error_string(opened.get()),
                "compare its checksum with the one that its distribution publishes");
  return opened;
}

// The next file, null at the end.
struct ::archive_entry* next(struct ::archive* opened, const std::filesystem::path& iso) {
  struct ::archive_entry* entry = nullptr;
  const int got = ::archive_read_next_header(opened, &entry);
  if (got == ARCHIVE_EOF) return nullptr;
  if (got < ARCHIVE_WARN)
    throw Error(ErrorCode::refused, iso.string() + " cannot be read as an ISO: " + ::archive_error_string(opened),
                "compare its checksum with the one that its distribution publishes");
  return entry;
}

std::string path_of(struct ::archive_entry* entry) {
  const char* path = ::archive_entry_pathname(entry);
  return path == nullptr ? std::string() : path;
}

void write_all(int fd, const char* data, std::size_t size, const std::filesystem::path& to) {
  while (size > 0) {
    const ssize_t written = ::write(fd, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw Error(ErrorCode::unavailable, errno_text("write " + to.string(), errno));
    data += written;
    size -= static_cast<std::size_t>(written);
  }
}

void copy_data(struct ::archive* opened, const std::filesystem::path& iso, const std::filesystem::path& to) {
  const UniqueFd fd(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd) throw Error(ErrorCode::unavailable, errno_text("make " + to.string(), errno));
  std::array<char, block> bytes;
  for (std::uint64_t total = 0;;) {
    const auto size = ::archive_read_data(opened, bytes.data(), bytes.size());
    if (size == 0) return;
    if (size < 0) throw Error(ErrorCode::refused, iso.string() + " cannot be read: " + ::archive_error_string(opened));
    total += static_cast<std::uint64_t>(size);
    if (total > max_file) throw Error(ErrorCode::refused, "a file of " + iso.string() + " is longer than 1 GiB");
    write_all(fd.get(), bytes.data(), static_cast<std::size_t>(size), to);
  }
}

}  // namespace

std::optional<IsoInstaller> find_installer(const std::filesystem::path& iso) {
  const Archive opened = open_iso(iso);
  std::set<std::string> wanted, found;
  for (const auto& layout : layouts()) wanted.insert({layout.kernel, layout.initrd});
  std::size_t entries = 0;
  while (struct ::archive_entry* entry = next(opened.get(), iso)) {
    if (wanted.count(path_of(entry)) != 0) found.insert(path_of(entry));
    if (++entries > max_entries) break;
  }
  for (const auto& layout : layouts())
    if (found.count(layout.kernel) != 0 && found.count(layout.initrd) != 0) return layout;
  return std::nullopt;
}

void extract_from_iso(const std::filesystem::path& iso, const std::string& file, const std::filesystem::path& to) {
  const Archive opened = open_iso(iso);
  while (struct ::archive_entry* entry = next(opened.get(), iso)) {
    if (path_of(entry) == file) return copy_data(opened.get(), iso, to);
  }
  throw Error(ErrorCode::refused, iso.string() + " has no file " + file);
}

}  // namespace pbotvm::cli

// SPDX-License-Identifier: MIT
#include "guest_image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "pbotvm/settings.h"

namespace pbotvm::qemu {
namespace {

constexpr std::size_t longest_id = 4096;  // bytes of image.id that count

class Opener {
 public:
  Opener(const std::filesystem::path& directory, const std::string& origin) : directory_(directory), origin_(origin) {}

  UniqueFd open(const std::string& name) {
    const std::string path = directory_ / name;
    UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file)
      fail("guest image " + errno_text(path, errno) +
           "; build the image, or name its directory with that key or PBOTVM_IMAGE");
    struct stat status {};
    ::fstat(file.get(), &status);
    if (!S_ISREG(status.st_mode)) fail("guest image " + path + " is no ordinary file");
    // QEMU runs as another user once the host has dropped its privileges, and opens these files again by descriptor.
    if (::geteuid() == 0 && (status.st_mode & S_IROTH) == 0)
      fail("guest image " + path + " cannot be read by the unprivileged user that QEMU runs as; chmod o+r it");
    fingerprint_ += name + " " + std::to_string(status.st_size) + " bytes, changed " +
                    std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec) + "\n";
    return file;
  }

  /// The text of a short file, without the white space at its end.
  std::string text(const std::string& name) {
    const UniqueFd file = open(name);
    std::array<char, longest_id> buffer;
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    std::string text(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    text.erase(text.find_last_not_of(" \r\n\t") + 1);
    if (text.empty()) fail("guest image " + (directory_ / name).string() + " is empty; build the image again");
    return text;
  }

  const std::string& fingerprint() const { return fingerprint_; }

 private:
  [[noreturn]] void fail(const std::string& problem) const { throw ConfigurationError(origin_, problem); }

  const std::filesystem::path& directory_;
  const std::string& origin_;
  std::string fingerprint_;
};

}  // namespace

GuestImage open_image(const std::filesystem::path& directory, const std::string& origin) {
  Opener opener(directory, origin);
  GuestImage image;
  image.kernel = opener.open("vmlinuz");
  image.initrd = opener.open("initrd");
  image.rootfs = opener.open("rootfs.squashfs");
  const std::string id = opener.text("image.id");
  image.fingerprint = opener.fingerprint() + "image.id " + id + "\n";
  return image;
}

}  // namespace pbotvm::qemu

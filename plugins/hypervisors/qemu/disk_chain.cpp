// SPDX-License-Identifier: MIT
#include "disk_chain.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>

#include "pbotvm/unique_fd.h"

namespace pbotvm::qemu {
namespace {

constexpr std::array<unsigned char, 4> magic = {'Q', 'F', 'I', 0xfb};
constexpr std::size_t header_size = 20;       // as much of it as is read here
constexpr std::size_t backing_offset_at = 8;  // 8 bytes, big endian
constexpr std::size_t backing_size_at = 16;   // 4 bytes, big endian
constexpr std::uint64_t longest_backing = 1023;

std::uint64_t big_endian(const unsigned char* bytes, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

/// The name of the backing file as it stands in the header; empty where there is none.
std::string backing_file(const std::string& file) {
  const UniqueFd image(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<unsigned char, header_size> header{};
  if (!image || ::pread(image.get(), header.data(), header.size(), 0) != ssize_t(header.size())) return {};
  if (std::memcmp(header.data(), magic.data(), magic.size()) != 0) return {};
  const std::uint64_t offset = big_endian(header.data() + backing_offset_at, 8);
  const std::uint64_t size = big_endian(header.data() + backing_size_at, 4);
  if (offset == 0 || size == 0 || size > longest_backing) return {};
  std::string name(size, '\0');
  return ::pread(image.get(), name.data(), size, static_cast<off_t>(offset)) == ssize_t(size) ? name : std::string();
}

}  // namespace

bool is_qcow2(const std::string& file) {
  const UniqueFd image(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<unsigned char, magic.size()> start{};
  return image && ::read(image.get(), start.data(), start.size()) == ssize_t(start.size()) && start == magic;
}

std::vector<std::string> disk_chain(const Disk& disk) {
  std::vector<std::string> chain = {disk.file};
  if (disk.format != "qcow2") return chain;
  while (chain.size() < longest_chain) {
    std::string next = backing_file(chain.back());
    if (next.starts_with("file:")) next.erase(0, std::strlen("file:"));
    if (next.empty()) break;
    chain.push_back(std::filesystem::path(chain.back()).parent_path() / next);  // absolute ones stay as they are
  }
  return chain;
}

std::string disk_identity(const Disk& disk) {
  std::string made = disk.format + (disk.read_only ? " read only" : "");
  bool written = !disk.read_only;
  for (const std::string& file : disk_chain(disk)) {
    struct stat status {};
    ::stat(file.c_str(), &status);
    made += ", " + file + " " + std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
    if (!written)
      made += " of " + std::to_string(status.st_size) + " bytes, changed " + std::to_string(status.st_mtim.tv_sec) +
              "." + std::to_string(status.st_mtim.tv_nsec);
    written = false;  // backing files are only read
  }
  return made;
}

}  // namespace pbotvm::qemu

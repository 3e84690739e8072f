// SPDX-License-Identifier: MIT
#include "paste/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "pbotvm/error.h"

namespace pbotvm::paste {

namespace {

constexpr mode_t directory_mode = 0750, file_mode = 0640;
constexpr std::string_view temporary_prefix = ".new-";
constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::size_t random_bytes = 16;  // of a name
constexpr std::size_t max_extension = 16;

struct CloseListing {
  void operator()(DIR* stream) const { ::closedir(stream); }
};

[[noreturn]] void fail(const std::string& what, int error) {
  throw Error(ErrorCode::unavailable, errno_text(what, error));
}

std::string random_name() {
  std::array<unsigned char, random_bytes> bytes;
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) fail("getrandom", errno);
  std::string name;
  for (const unsigned char byte : bytes) {
    name += hex_digits[byte >> 4];
    name += hex_digits[byte & 15];
  }
  return name;
}

// ".c" of "prog.c"; ".txt" where there is none that every system and web server takes as it is.
std::string extension_of(const std::string& like) {
  const auto dot = like.rfind('.');
  const std::string extension = dot == std::string::npos ? "" : like.substr(dot + 1);
  const bool plain = !extension.empty() && extension.size() <= max_extension &&
                     extension.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") ==
                         std::string::npos;
  return "." + (plain ? extension : "txt");
}

// What this store named: nobody else's file is ever removed.
bool is_own(std::string_view name) {
  const auto dot = name.find('.');
  return dot == 2 * random_bytes && name.substr(0, dot).find_first_not_of(hex_digits) == name.npos &&
         name.size() > dot + 1 && name.find('/') == name.npos;
}

struct Kept {
  timespec when;
  std::string name;
  std::uint64_t bytes;

  bool operator<(const Kept& other) const {
    return std::pair(when.tv_sec, when.tv_nsec) < std::pair(other.when.tv_sec, other.when.tv_nsec);
  }
};

// Every name is offered to `look_at`.
template <typename Function>
void for_each_name(int directory, Function look_at) {
  UniqueFd own(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::unique_ptr<DIR, CloseListing> stream(own ? ::fdopendir(own.get()) : nullptr);
  if (!stream) fail("list the directory of pastes", errno);
  own.release();
  while (const dirent* entry = ::readdir(stream.get())) look_at(std::string(entry->d_name));
}

std::vector<Kept> kept_in(int directory) {
  std::vector<Kept> all;
  for_each_name(directory, [&](const std::string& name) {
    struct stat status {};
    if (!is_own(name) || ::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (S_ISREG(status.st_mode)) all.push_back({status.st_mtim, name, static_cast<std::uint64_t>(status.st_size)});
  });
  return all;
}

// What a host left that ended while it wrote.
void remove_half_written(int directory) {
  std::vector<std::string> stale;
  for_each_name(directory, [&](const std::string& name) {
    if (name.starts_with(temporary_prefix)) stale.push_back(name);
  });
  for (const auto& name : stale) ::unlinkat(directory, name.c_str(), 0);
}

void write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(file, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail("write a paste", errno);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
}

void write_file(int directory, const std::string& name, std::string_view text) {
  const std::string temporary = std::string(temporary_prefix) + name;
  try {
    const UniqueFd file(
        ::openat(directory, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) fail("make a paste", errno);
    write_all(file.get(), text);
    if (::fchmod(file.get(), file_mode) != 0) fail("open a paste to the group", errno);
    if (::renameat(directory, temporary.c_str(), directory, name.c_str()) != 0) fail("rename a paste", errno);
  } catch (const Error&) {
    ::unlinkat(directory, temporary.c_str(), 0);
    throw;
  }
}

}  // namespace

Store::Store(std::filesystem::path directory, Bounds bounds) : path_(std::move(directory)), bounds_(bounds) {}

// Each time, as it may have been emptied or replaced by who looks after the system. Under the mutex.
UniqueFd Store::open() {
  const std::string path = path_.string();
  if (::mkdir(path.c_str(), directory_mode) != 0 && errno != EEXIST) fail("make the directory " + path, errno);
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) fail("open the directory " + path, errno);
  if (::fchmod(directory.get(), directory_mode) != 0) fail("close the directory " + path + " to others", errno);
  if (!std::exchange(cleared_, true)) remove_half_written(directory.get());
  return directory;
}

// So that one more file of that size keeps the bounds. Under the mutex.
void Store::make_room(int directory, std::uint64_t bytes) const {
  auto all = kept_in(directory);
  std::uint64_t sum = bytes;
  for (const auto& one : all) sum += one.bytes;
  if (all.size() < bounds_.files && sum <= bounds_.bytes) return;
  std::sort(all.begin(), all.end());
  std::size_t left = all.size();
  for (const auto& one : all) {
    if (left < bounds_.files && sum <= bounds_.bytes) return;
    if (::unlinkat(directory, one.name.c_str(), 0) != 0 && errno != ENOENT) fail("remove " + one.name, errno);
    sum -= one.bytes;
    --left;
  }
}

std::string Store::keep(const std::string& text, const std::string& like) {
  if (bounds_.files == 0) throw Error(ErrorCode::refused, "this host keeps no pastes");
  if (text.size() > max_page || text.size() > bounds_.bytes) {
    throw Error(ErrorCode::refused, std::to_string(text.size()) + " bytes are more than a paste may have");
  }
  const std::lock_guard lock(mutex_);
  const UniqueFd directory = open();
  make_room(directory.get(), text.size());
  const std::string name = random_name() + extension_of(like);
  write_file(directory.get(), name, text);
  return name;
}

}  // namespace pbotvm::paste

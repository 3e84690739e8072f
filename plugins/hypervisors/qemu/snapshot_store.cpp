// SPDX-License-Identifier: MIT
#include "snapshot_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::qemu {
namespace {

constexpr const char* further_prefix = "snapshot-";
constexpr const char* stamp_suffix = ".stamp";
constexpr std::uint64_t block = 512;  // of st_blocks, see stat(3type)

Error failed(const std::string& what) {
  return Error(ErrorCode::unavailable, errno_text(what, errno),
               "look after the file system that holds the host's state");
}

void rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) throw failed("rename " + from + " to " + to);
}

void flush(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || ::fsync(file.get()) != 0) throw failed("write " + path + " to disk");
}

void write_file(const std::string& path, const std::string& text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw failed("write " + path);
}

}  // namespace

bool is_snapshot_name(const std::string& name) {
  const auto plain = [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
  };
  return !name.empty() && name.size() <= longest_snapshot_name && plain(name.front()) &&
         std::ranges::all_of(name,
                             [&plain](char byte) { return plain(byte) || byte == '.' || byte == '_' || byte == '-'; });
}

SnapshotStore::SnapshotStore(const std::string& directory, const std::string& name)
    : file_(directory + "/snapshot" + (name.empty() ? "" : "-" + name) + ".qcow2"),
      new_file_(directory + (name.empty() ? "/snapshot.new.qcow2" : "/unfinished-" + name + ".qcow2")),
      stamp_file_(directory + "/snapshot" + (name.empty() ? "" : "-" + name) + stamp_suffix) {}

bool SnapshotStore::fits(const std::string& stamp) const {
  if (::access(file_.c_str(), R_OK | W_OK) != 0) return false;
  const UniqueFd file(::open(stamp_file_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return false;
  std::string found(stamp.size() + 1, '\0');  // one more byte tells a longer stamp
  const ssize_t got = ::read(file.get(), found.data(), found.size());
  return got >= 0 && found.compare(0, static_cast<std::size_t>(got), stamp) == 0;
}

bool SnapshotStore::exists() const {
  return ::access(file_.c_str(), R_OK | W_OK) == 0 && ::access(stamp_file_.c_str(), R_OK) == 0;
}

SnapshotStore::Facts SnapshotStore::facts() const {
  struct stat file {
  }, stamp{};
  if (::stat(file_.c_str(), &file) != 0 || ::stat(stamp_file_.c_str(), &stamp) != 0) return {};
  return {std::int64_t(stamp.st_mtim.tv_sec) * 1'000'000'000 + stamp.st_mtim.tv_nsec,
          static_cast<std::uint64_t>(file.st_blocks) * block};
}

void SnapshotStore::forget() noexcept {
  ::unlink(stamp_file_.c_str());
}

void SnapshotStore::replace(const std::string& stamp) {
  flush(new_file_);
  forget();
  rename_file(new_file_, file_);
  const std::string unfinished = stamp_file_ + ".new";
  write_file(unfinished, stamp);
  flush(unfinished);
  rename_file(unfinished, stamp_file_);
}

void SnapshotStore::discard_new() noexcept {
  ::unlink(new_file_.c_str());
}

void SnapshotStore::remove() noexcept {
  forget();
  ::unlink(file_.c_str());
}

std::vector<std::string> SnapshotStore::further(const std::string& directory) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    std::string name = entry.path().filename();
    if (!name.starts_with(further_prefix) || !name.ends_with(stamp_suffix)) continue;
    name = name.substr(std::string(further_prefix).size());
    name.resize(name.size() - std::string(stamp_suffix).size());
    if (is_snapshot_name(name) && SnapshotStore(directory, name).exists()) found.push_back(name);
  }
  return found;
}

}  // namespace pbotvm::qemu

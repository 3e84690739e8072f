// SPDX-License-Identifier: MIT
#include "service/persistent_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "service/client_files.h"
#include "service/client_request.h"
#include "service/file_archive.h"
#include "service/utf8.h"

namespace pbotvm::service {

namespace {

constexpr std::string_view suffix = ".tar";
constexpr std::string_view temporary_prefix = ".new-";  // no key begins with '.'
// Bytes of an archive's file beside the content: three headers, the longest name and padding for each file.
constexpr std::uint64_t most_overhead = PersistentFiles::max_files * 8192 + 65536;
constexpr int most_damaged = 100;  // archives put aside within one second

struct CloseListing {
  void operator()(DIR* stream) const { ::closedir(stream); }
};
using Listing = std::unique_ptr<DIR, CloseListing>;

[[noreturn]] void fail(const std::string& what, int error) {
  throw Error(ErrorCode::unavailable, errno_text(what, error));
}

std::string archive_name(const std::string& key) {
  return key + std::string(suffix);
}

void for_each_name(int directory, const std::function<void(const std::string&)>& look_at) {
  UniqueFd own(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Listing stream(own ? ::fdopendir(own.get()) : nullptr);
  if (!stream) fail("list the directory of persistent files", errno);
  own.release();
  while (const dirent* entry = ::readdir(stream.get())) look_at(entry->d_name);
}

UniqueFd open_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) fail("make the directory " + path, errno);
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) fail("open the directory " + path, errno);
  if (::fchmod(directory.get(), 0700) != 0) fail("close the directory " + path + " to others", errno);
  // What a host left that ended while it wrote.
  std::vector<std::string> stale;
  for_each_name(directory.get(), [&](const std::string& name) {
    if (name.starts_with(temporary_prefix)) stale.push_back(name);
  });
  for (const auto& name : stale) ::unlinkat(directory.get(), name.c_str(), 0);
  return directory;
}

// None when there is no such file. At most `limit` bytes and one more are read.
std::optional<std::string> read_file(int directory, const std::string& name, std::uint64_t limit) {
  const UniqueFd file(::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) fail("open " + name, errno);
  std::string bytes;
  char buffer[65536];
  while (bytes.size() <= limit) {
    const auto want = std::min<std::uint64_t>(sizeof buffer, limit + 1 - bytes.size());
    const ssize_t got = ::read(file.get(), buffer, want);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read " + name, errno);
    if (got == 0) break;
    bytes.append(buffer, static_cast<std::size_t>(got));
  }
  return bytes;
}

void write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(file, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail("write persistent files", errno);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
}

// The file is whole under its name, or not there under it, whatever happens meanwhile.
void replace_file(int directory, const std::string& name, std::string_view bytes) {
  const std::string temporary = std::string(temporary_prefix) + name;
  ::unlinkat(directory, temporary.c_str(), 0);
  try {
    const UniqueFd file(
        ::openat(directory, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) fail("make " + temporary, errno);
    write_all(file.get(), bytes);
    if (::fsync(file.get()) != 0) fail("write " + temporary + " to the disk", errno);
    if (::renameat(directory, temporary.c_str(), directory, name.c_str()) != 0) fail("rename " + temporary, errno);
  } catch (const Error&) {
    ::unlinkat(directory, temporary.c_str(), 0);
    throw;
  }
  if (::fsync(directory) != 0) fail("write the directory of persistent files to the disk", errno);
}

std::string size_text(std::uint64_t count, const char* what, std::uint64_t most) {
  return std::to_string(count) + " " + what + " are more than the " + std::to_string(most) + " that a key may keep";
}

// Exactly what unpack_files() would refuse: an archive that cannot be read again must never replace one that can.
void check_names(const std::vector<JobFile>& files) {
  for (const auto& file : files) {
    if (const auto flaw = path_flaw(file.path); !flaw.empty()) throw Error(ErrorCode::refused, "a file " + flaw);
    if (find_invalid_utf8(file.path) != std::string::npos) throw Error(ErrorCode::refused, "a name is not UTF-8");
  }
  try {
    check_tree(files, "the file ");
  } catch (const RequestError& e) {
    throw Error(ErrorCode::refused, e.what());
  }
}

}  // namespace

PersistentFiles::PersistentFiles(std::filesystem::path directory, Bounds bounds)
    : path_(std::move(directory)), bounds_(bounds) {}

std::unique_ptr<PersistentFiles::Lease> PersistentFiles::lease(const std::string& key, const Deadline& deadline,
                                                               const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const auto ticket = ++last_ticket_;
  waiting_[key].push_back(ticket);
  const bool mine = changed_.wait_until(lock, stop, deadline.point(), [&] { return waiting_[key].front() == ticket; });
  if (mine) return std::make_unique<Lease>(*this, key);
  auto& line = waiting_[key];
  line.erase(std::find(line.begin(), line.end(), ticket));
  return nullptr;
}

void PersistentFiles::release(const std::string& key) {
  {
    std::lock_guard lock(mutex_);
    auto& line = waiting_[key];
    line.pop_front();
    if (line.empty()) waiting_.erase(key);
  }
  changed_.notify_all();
}

int PersistentFiles::directory() {
  std::lock_guard lock(mutex_);
  if (!directory_) directory_ = open_directory(path_.string());
  return directory_.get();
}

std::string PersistentFiles::put_aside(const std::string& name) {
  const std::string aside = name + ".damaged-" + std::to_string(std::time(nullptr));
  for (int i = 0; i < most_damaged; ++i) {
    const std::string target = i == 0 ? aside : aside + "-" + std::to_string(i);
    if (::renameat2(directory(), name.c_str(), directory(), target.c_str(), RENAME_NOREPLACE) == 0) return target;
    if (errno != EEXIST) break;
  }
  fail("put the damaged " + name + " aside", errno);
}

std::vector<JobFile> PersistentFiles::load(const Lease& lease) {
  const std::string name = archive_name(lease.key());
  // What was saved under a larger bound than today's is still given out.
  constexpr std::uint64_t most_content = 16u << 20;
  const auto bytes = read_file(directory(), name, most_content + most_overhead);
  if (!bytes) return {};
  try {
    return unpack_files(*bytes, max_files, most_content);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::protocol) throw;
    throw Error(ErrorCode::protocol, std::string(e.what()) + " (put aside as " + put_aside(name) + ")");
  }
}

void PersistentFiles::save(const Lease& lease, const std::vector<JobFile>& files) {
  const std::string name = archive_name(lease.key());
  if (files.empty()) {
    if (::unlinkat(directory(), name.c_str(), 0) != 0 && errno != ENOENT) fail("remove " + name, errno);
    return;
  }
  std::uint64_t bytes = 0;
  for (const auto& file : files) bytes += file.content.size();
  if (bytes > bounds_.bytes) throw Error(ErrorCode::refused, size_text(bytes, "bytes", bounds_.bytes));
  if (files.size() > max_files) throw Error(ErrorCode::refused, size_text(files.size(), "files", max_files));
  check_names(files);
  const std::string archive = pack_files(files);
  if (read_file(directory(), name, archive.size()) == archive) return;
  const std::lock_guard lock(saving_);
  check_room(name);
  replace_file(directory(), name, archive);
}

void PersistentFiles::check_room(const std::string& name) {
  if (::faccessat(directory(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return;
  std::uint32_t keys = 0;
  for_each_name(directory(), [&keys](const std::string& other) {
    if (other.ends_with(suffix) && !other.starts_with('.')) ++keys;
  });
  if (keys >= bounds_.keys) {
    throw Error(ErrorCode::refused,
                "files are kept under " + std::to_string(keys) + " keys already, which is the most");
  }
}

}  // namespace pbotvm::service

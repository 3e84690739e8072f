// SPDX-License-Identifier: MIT
#include "snapshot_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::qemu {
namespace {

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

SnapshotStore::SnapshotStore(const std::string& directory)
    : file_(directory + "/snapshot.qcow2"),
      new_file_(directory + "/snapshot.new.qcow2"),
      stamp_file_(directory + "/snapshot.stamp") {}

bool SnapshotStore::fits(const std::string& stamp) const {
  if (::access(file_.c_str(), R_OK | W_OK) != 0) return false;
  const UniqueFd file(::open(stamp_file_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return false;
  std::string found(stamp.size() + 1, '\0');  // one more byte tells a longer stamp
  const ssize_t got = ::read(file.get(), found.data(), found.size());
  return got >= 0 && found.compare(0, static_cast<std::size_t>(got), stamp) == 0;
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

}  // namespace pbotvm::qemu

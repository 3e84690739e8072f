// SPDX-License-Identifier: MIT
#include "collect.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "order.h"
#include "path_pattern.h"
#include "pbotvm/unique_fd.h"
#include "system.h"

namespace pbotvm::guest {
namespace {

// Bounds of a walk, whatever a job has left.
constexpr std::size_t max_entries = 50'000;
constexpr std::size_t max_depth = 100;  // and as many descriptors
constexpr auto max_time = std::chrono::seconds(3);
constexpr std::size_t entries_between_looks = 256;  // at the clock
constexpr rlim_t max_processor_time = 5;            // s, beside the above
// Bounds of a list, which has to fit into one message.
constexpr std::size_t max_path = 4095;
constexpr std::size_t max_paths = 256 * 1024;  // bytes of all paths
constexpr std::size_t max_path_shown = 1024;   // bytes of one that is left behind
constexpr std::size_t max_left_behind = 64;    // entries
constexpr std::size_t max_list = 1024 * 1024;  // bytes
constexpr std::size_t copied_at_once = 64 * 1024;

struct FoundFile {
  std::string path;
  mode_t mode;
  std::uint64_t size;
  UniqueFd fd;
};

class Collector {
 public:
  explicit Collector(const Collection& collection)
      : patterns_(collection.patterns),
        max_files_(collection.files),
        bytes_left_(collection.bytes),
        max_bytes_(collection.bytes),
        end_(Clock::now() + max_time) {}

  void search() {
    UniqueFd here(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!here) return leave(".", error_text(errno));
    walk(std::move(here), "", patterns_.start(), 0);
    std::sort(files_.begin(), files_.end(), [](const auto& one, const auto& other) { return one.path < other.path; });
    if (unnamed_ > 0) left_.push_back({"...", std::to_string(unnamed_) + " more"});
  }

  std::string list() const {
    std::string list;
    append_number(list, static_cast<std::uint32_t>(files_.size()));
    for (const auto& file : files_) {
      append_text(list, file.path);
      append_number(list, static_cast<std::uint32_t>(file.mode));
      append_number(list, file.size);
    }
    append_number(list, static_cast<std::uint32_t>(left_.size()));
    for (const auto& entry : left_) {
      append_text(list, entry.path);
      append_text(list, entry.why);
    }
    return list;
  }

  const std::vector<FoundFile>& files() const { return files_; }

 private:
  // Sorted, so that the same files are taken whatever the order in which the file system names them.
  std::vector<std::string> names_in(const UniqueFd& directory, const std::string& path) {
    std::vector<std::string> names;
    DIR* const stream = fdopendir(dup(directory.get()));
    if (!stream) return names;
    while (const dirent* entry = readdir(stream)) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (exhausted(path)) break;
      names.emplace_back(name);
    }
    closedir(stream);
    std::sort(names.begin(), names.end());
    return names;
  }

  void walk(UniqueFd directory, const std::string& path, const PathPatterns::Places& places, std::size_t depth) {
    for (const auto& name : names_in(directory, path)) {
      if (late(path)) return;  // many long patterns take longer than the names
      const auto next = patterns_.step(places, name);
      if (next.none()) continue;
      const std::string whole = path.empty() ? name : path + "/" + name;
      struct stat info {};
      if (fstatat(directory.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) {
        leave(whole, error_text(errno));
      } else if (!S_ISDIR(info.st_mode)) {
        if (next.matched()) consider(directory, name, whole, info);
      } else if (next.open() && !over_) {
        descend(directory, name, whole, next, depth);
      }
    }
  }

  void descend(const UniqueFd& directory, const std::string& name, const std::string& path,
               const PathPatterns::Places& places, std::size_t depth) {
    if (depth == max_depth) return leave(path, "deeper than " + std::to_string(max_depth) + " directories");
    UniqueFd below(openat(directory.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!below) return leave(path, error_text(errno));
    walk(std::move(below), path, places, depth + 1);
  }

  void consider(const UniqueFd& directory, const std::string& name, const std::string& path, const struct stat& seen) {
    if (S_ISLNK(seen.st_mode)) return leave(path, "a link");
    if (!S_ISREG(seen.st_mode)) return leave(path, "not a regular file");
    if (!is_utf8(path)) return leave(path, "its name is not UTF-8");
    if (path.size() > max_path) return leave(path, "its path is longer than " + std::to_string(max_path) + " bytes");
    if (files_.size() == max_files_) return leave(path, "more than " + std::to_string(max_files_) + " files");
    if (path.size() > paths_left_) return leave(path, "too many long paths");
    UniqueFd file(openat(directory.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat info {};
    if (!file || fstat(file.get(), &info) < 0) return leave(path, error_text(errno));
    if (!S_ISREG(info.st_mode)) return leave(path, "not a regular file");
    const auto size = static_cast<std::uint64_t>(info.st_size);
    if (size > bytes_left_) return leave(path, "more than " + std::to_string(max_bytes_) + " bytes together");
    bytes_left_ -= size;
    paths_left_ -= path.size();
    files_.push_back({path, info.st_mode & 0777u, size, std::move(file)});
  }

  // Whether one entry more is too much, or the time is over: then nothing more is looked at.
  bool exhausted(const std::string& path) {
    if (!over_ && ++entries_ > max_entries) {
      give_up(path, "not searched beyond " + std::to_string(max_entries) + " entries");
    }
    return over_ || (entries_ % entries_between_looks == 0 && late(path));
  }

  bool late(const std::string& path) {
    const bool late = Clock::now() > end_;
    if (late && !over_) give_up(path, "not searched further: out of time");
    return late;
  }

  void give_up(const std::string& path, const std::string& why) {
    over_ = true;
    leave(path.empty() ? "." : path, why);
  }

  void leave(std::string path, std::string why) {
    if (left_.size() + 1 >= max_left_behind) {
      ++unnamed_;
      return;
    }
    if (path.size() > max_path_shown) path = path.substr(0, max_path_shown) + "...";
    left_.push_back({std::move(path), std::move(why)});
  }

  const PathPatterns patterns_;
  const std::uint32_t max_files_;
  std::uint64_t bytes_left_;
  const std::uint64_t max_bytes_;
  const Clock::time_point end_;
  std::size_t paths_left_ = max_paths;
  std::size_t entries_ = 0;
  bool over_ = false;
  std::vector<FoundFile> files_;
  std::vector<LeftBehind> left_;
  std::size_t unnamed_ = 0;
};

void write_all(int out, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto size = write(out, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) _exit(1);
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
}

// Exactly as many bytes as the list says: nobody is left who could change a file.
void write_content(int out, const FoundFile& file) {
  static char buffer[copied_at_once];
  for (auto left = file.size; left > 0;) {
    const auto size = read(file.fd.get(), buffer, std::min<std::uint64_t>(left, sizeof buffer));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) _exit(1);
    write_all(out, {buffer, static_cast<std::size_t>(size)});
    left -= static_cast<std::uint64_t>(size);
  }
}

/// Reads a list from memory; every size in it is checked.
class ListReader {
 public:
  explicit ListReader(std::string_view bytes) : bytes_(bytes) {}

  template <typename Number>
  Number number() {
    Number value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string text() {
    const auto size = number<std::uint32_t>();
    return std::string(take(size));
  }
  /// A number of entries.
  std::uint32_t count(std::size_t most) {
    const auto value = number<std::uint32_t>();
    if (value > most) throw protocol::MessageError("list: too many entries");
    return value;
  }

 private:
  std::string_view take(std::size_t size) {
    if (size > bytes_.size()) throw protocol::MessageError("list: too short");
    const auto part = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return part;
  }
  std::string_view bytes_;
};

}  // namespace

void append_collect_order(std::string& to, const Collection& collection) {
  append_number(to, collect_order);
  append_number(to, collection.files == 0 ? default_collected_files : collection.files);
  append_number(to, collection.bytes == 0 ? default_collected_bytes : collection.bytes);
  append_number(to, static_cast<std::uint32_t>(collection.patterns.size()));
  for (const auto& pattern : collection.patterns) append_text(to, pattern);
}

void carry_out_collection(OrderReader& order, int out) {
  const rlimit processor_time{max_processor_time, max_processor_time};
  setrlimit(RLIMIT_CPU, &processor_time);
  Collection collection;
  collection.files = order.number<std::uint32_t>();
  collection.bytes = order.number<std::uint64_t>();
  collection.patterns.resize(order.number<std::uint32_t>());
  for (auto& pattern : collection.patterns) pattern = order.text();
  Collector collector(collection);
  collector.search();
  const std::string list = collector.list();
  std::string head;
  append_number<std::uint64_t>(head, list.size());
  write_all(out, head + list);
  for (const auto& file : collector.files()) write_content(out, file);
  _exit(0);
}

void FoundList::add(std::string_view bytes) {
  bytes_.append(bytes);
  due_ -= std::min(due_, bytes.size());
  if (due_ > 0 || size_known_) return;
  size_known_ = true;
  const auto size = ListReader(bytes_).number<std::uint64_t>();
  if (size == 0 || size > max_list) throw protocol::MessageError("list: of no possible size");
  due_ = static_cast<std::size_t>(size);
}

protocol::Collected FoundList::take() const {
  ListReader reader(bytes_);
  reader.number<std::uint64_t>();
  protocol::Collected collected;
  for (auto count = reader.count(protocol::max_collected_files); count > 0; --count) {
    JobFile file;
    file.path = reader.text();
    file.mode = reader.number<std::uint32_t>() & 0777u;
    collected.files.push_back(std::move(file));
    collected.sizes.push_back(reader.number<std::uint64_t>());
    if (collected.sizes.back() > protocol::max_collected_bytes) throw protocol::MessageError("list: too large a file");
  }
  for (auto count = reader.count(max_left_behind); count > 0; --count) {
    auto path = reader.text();
    collected.left_behind.push_back({std::move(path), reader.text()});
  }
  return collected;
}

}  // namespace pbotvm::guest

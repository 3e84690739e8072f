// SPDX-License-Identifier: MIT
#include "order.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "collect.h"
#include "order_stream.h"
#include "pbotvm/unique_fd.h"
#include "system.h"

namespace pbotvm::guest {
namespace {

constexpr int exit_not_found = 127;  // as a shell says it
constexpr int exit_not_started = 126;

[[noreturn]] void give_up(int socket, char kind, const std::string& text, int status) {
  const std::string report = kind + text;
  [[maybe_unused]] const auto written = write(socket, report.data(), report.size());
  _exit(status);
}

constexpr std::size_t max_path_told = 200;  // bytes: what is wrong has to stand in the same message

std::string shown(std::string_view path) {
  if (path.size() <= max_path_told) return std::string(path);
  return std::string(path.substr(0, max_path_told)) + "...";
}

constexpr mode_t directory_mode = 0755;
constexpr mode_t masked = 022;  // by the stub's umask

/// Makes and opens what is named below the job's directory, part by part: no link is ever followed, and each part of a
/// long path is looked up once.
class Places {
 public:
  void make_directory(const std::string& path) { enter(path, path); }

  UniqueFd make_file(const std::string& path, mode_t mode) {
    const auto slash = path.rfind('/');
    const int parent = slash == path.npos ? AT_FDCWD : enter(std::string_view(path).substr(0, slash), path);
    const char* name = path.c_str() + (slash == path.npos ? 0 : slash + 1);
    UniqueFd file(openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!file) throw SystemError(shown(path));
    if ((mode & masked) != 0 && fchmod(file.get(), mode) < 0) throw SystemError(shown(path));
    return file;
  }

 private:
  // A directory of the job, made as far as it is missing; `whole` is what to name when that fails. Kept: files of one
  // directory mostly come together.
  int enter(std::string_view path, std::string_view whole) {
    if (directory_ && path == path_) return directory_.get();
    UniqueFd directory;
    for_each_part(path, '/', [&](std::string_view part) {
      const int parent = directory ? directory.get() : AT_FDCWD;
      const std::string name(part);
      UniqueFd next = open_directory(parent, name);
      if (!next && errno == ENOENT && mkdirat(parent, name.c_str(), directory_mode) == 0) {
        next = open_directory(parent, name);
      }
      if (!next) throw SystemError(shown(whole));
      directory = std::move(next);
    });
    directory_ = std::move(directory);
    path_ = path;
    return directory_.get();
  }
  static UniqueFd open_directory(int parent, const std::string& name) {
    return UniqueFd(openat(parent, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }

  std::string path_;
  UniqueFd directory_;
};

void write_one_file(OrderReader& order, Places& places) {
  const std::string path = order.text();
  const auto mode = order.number<std::uint32_t>();
  auto left = order.number<std::uint64_t>();
  const UniqueFd file = places.make_file(path, mode);
  while (left > 0) {
    auto piece = order.some(left);
    left -= piece.size();
    while (!piece.empty()) {
      const auto size = write(file.get(), piece.data(), piece.size());
      if (size < 0) throw SystemError(shown(path));
      piece.remove_prefix(static_cast<std::size_t>(size));
    }
  }
}

void make_places(OrderReader& order) {
  Places places;
  for (auto count = order.number<std::uint32_t>(); count > 0; --count) places.make_directory(order.text());
  for (auto count = order.number<std::uint32_t>(); count > 0; --count) write_one_file(order, places);
}

void set_limit(int resource, std::uint64_t soft, std::uint64_t hard) {
  const rlimit limit{soft, hard};
  if (setrlimit(static_cast<__rlimit_resource>(resource), &limit) < 0) throw SystemError("setrlimit");
}

// A program that wants another one may still ask for it, up to the hard limit that all jobs have.
void set_core_limit(std::uint64_t size) {
  if (size == 0) return;
  rlimit now{};
  if (getrlimit(RLIMIT_CORE, &now) < 0) throw SystemError("getrlimit");
  set_limit(RLIMIT_CORE, std::min<rlim_t>(size, now.rlim_max), now.rlim_max);
}

void set_process_limits(const ProcessLimits& limits) {
  set_limit(RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1);  // SIGXCPU, and a second later SIGKILL
  set_limit(RLIMIT_FSIZE, limits.file_size, limits.file_size);
  set_limit(RLIMIT_NOFILE, limits.open_files, limits.open_files);
  if (limits.processes > 0) set_limit(RLIMIT_NPROC, limits.processes, limits.processes);
  set_core_limit(limits.core_size);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (auto& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

std::string_view value_of(const std::vector<std::string>& environment, std::string_view name) {
  std::string_view value;
  for (std::string_view entry : environment) {
    if (entry.starts_with(name)) value = entry.substr(name.size());
  }
  return value;
}

// Comes back only when the program cannot be started; errno says why.
void run_program(std::vector<std::string>& argv, std::vector<std::string>& environment) {
  const auto arguments = pointers(argv), variables = pointers(environment);
  if (argv[0].find('/') != std::string::npos) {
    execve(argv[0].c_str(), arguments.data(), variables.data());
    return;
  }
  int reason = ENOENT;
  for_each_part(value_of(environment, "PATH="), ':', [&](std::string_view directory) {
    const std::string path = std::string(directory) + "/" + argv[0];
    execve(path.c_str(), arguments.data(), variables.data());
    if (errno != ENOENT && errno != ENOTDIR) reason = errno;
  });
  errno = reason;
}

}  // namespace

void append_order(std::string& to, const Step& step, const std::vector<std::string>& environment,
                  const ProcessLimits& limits, const std::vector<std::string>& directories, std::size_t files) {
  append_number(to, run_order);
  append_number(to, limits);
  append_number(to, static_cast<std::uint32_t>(step.argv.size()));
  for (const auto& argument : step.argv) append_text(to, argument);
  append_number(to, static_cast<std::uint32_t>(environment.size()));
  for (const auto& entry : environment) append_text(to, entry);
  append_number(to, static_cast<std::uint32_t>(directories.size()));
  for (const auto& path : directories) append_text(to, path);
  append_number(to, static_cast<std::uint32_t>(files));
}

void append_order_file(std::string& to, const JobFile& file, std::uint64_t size) {
  append_text(to, file.path);
  append_number(to, static_cast<std::uint32_t>(file.mode));
  append_number(to, size);
}

void carry_out_order(int socket) {
  OrderReader order(socket);
  if (order.number<char>() == collect_order) carry_out_collection(order, STDOUT_FILENO);
  const auto limits = order.number<ProcessLimits>();
  std::vector<std::string> argv(order.number<std::uint32_t>());
  for (auto& argument : argv) argument = order.text();
  std::vector<std::string> environment(order.number<std::uint32_t>());
  for (auto& entry : environment) entry = order.text();
  try {
    make_places(order);
    set_process_limits(limits);
  } catch (const SystemError& error) {
    give_up(socket, 'j', error.what(), exit_not_started);
  }
  run_program(argv, environment);
  const int reason = errno;
  give_up(socket, 's', argv[0] + ": " + error_text(reason), reason == ENOENT ? exit_not_found : exit_not_started);
}

}  // namespace pbotvm::guest

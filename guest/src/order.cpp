// SPDX-License-Identifier: MIT
#include "order.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "system.h"

namespace pbotvm::guest {
namespace {

constexpr int exit_not_found = 127;  // as a shell says it
constexpr int exit_not_started = 126;

template <typename Number>
void append_number(std::string& to, Number value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);  // one machine, one program: its own byte order
}

void append_text(std::string& to, std::string_view text) {
  append_number<std::uint32_t>(to, static_cast<std::uint32_t>(text.size()));
  to.append(text);
}

/// Reads exactly what is asked for; the process ends when the other side is gone.
class OrderReader {
 public:
  /// Touches the memory that reading an order will need: a stub's first write to a page costs a fault, better now than
  /// when the job is there.
  explicit OrderReader(int socket) : socket_(socket) {
    std::memset(buffer_, 0, sizeof buffer_);
    volatile char last = std::string(sizeof buffer_, ' ').back();
    (void)last;
  }

  template <typename Number>
  Number number() {
    Number value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string text() {
    const auto size = number<std::uint32_t>();
    std::string text;
    while (text.size() < size) text += some(size - text.size());
    return text;
  }
  /// Between one and `limit` bytes, valid until the next call.
  std::string_view some(std::size_t limit) {
    if (begin_ == end_) fill();
    const std::size_t size = std::min(limit, end_ - begin_);
    begin_ += size;
    return {buffer_ + begin_ - size, size};
  }

 private:
  std::string_view take(std::size_t size) {
    std::memmove(buffer_, buffer_ + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
    while (end_ < size) fill();
    begin_ = size;
    return {buffer_, size};
  }
  void fill() {
    if (begin_ == end_) begin_ = end_ = 0;
    const auto size = read(socket_, buffer_ + end_, sizeof buffer_ - end_);
    if (size <= 0) _exit(exit_not_started);
    end_ += static_cast<std::size_t>(size);
  }

  int socket_;
  char buffer_[16 * 1024];
  std::size_t begin_ = 0, end_ = 0;
};

[[noreturn]] void give_up(int socket, char kind, const std::string& text, int status) {
  const std::string report = kind + text;
  [[maybe_unused]] const auto written = write(socket, report.data(), report.size());
  _exit(status);
}

void make_directories(const std::string& path) {
  for (auto slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
    if (mkdir(path.substr(0, slash).c_str(), 0755) < 0 && errno != EEXIST) throw SystemError(path);
  }
}

void write_one_file(OrderReader& order) {
  const std::string path = order.text();
  const auto mode = order.number<std::uint32_t>();
  auto left = order.number<std::uint64_t>();
  make_directories(path);
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (file < 0) throw SystemError(path);
  while (left > 0) {
    auto piece = order.some(left);
    left -= piece.size();
    while (!piece.empty()) {
      const auto size = write(file, piece.data(), piece.size());
      if (size < 0) throw SystemError(path);
      piece.remove_prefix(static_cast<std::size_t>(size));
    }
  }
  if ((mode & 022) != 0 && fchmod(file, mode) < 0) throw SystemError(path);  // the umask took these away
  close(file);
}

void set_limit(int resource, std::uint64_t soft, std::uint64_t hard) {
  const rlimit limit{soft, hard};
  if (setrlimit(static_cast<__rlimit_resource>(resource), &limit) < 0) throw SystemError("setrlimit");
}

void set_process_limits(const ProcessLimits& limits) {
  set_limit(RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1);  // SIGXCPU, and a second later SIGKILL
  set_limit(RLIMIT_FSIZE, limits.file_size, limits.file_size);
  set_limit(RLIMIT_NOFILE, limits.open_files, limits.open_files);
  if (limits.processes > 0) set_limit(RLIMIT_NPROC, limits.processes, limits.processes);
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
                  const ProcessLimits& limits, std::size_t files) {
  append_number(to, limits);
  append_number(to, static_cast<std::uint32_t>(step.argv.size()));
  for (const auto& argument : step.argv) append_text(to, argument);
  append_number(to, static_cast<std::uint32_t>(environment.size()));
  for (const auto& entry : environment) append_text(to, entry);
  append_number(to, static_cast<std::uint32_t>(files));
}

void append_order_file(std::string& to, const JobFile& file, std::uint64_t size) {
  append_text(to, file.path);
  append_number(to, static_cast<std::uint32_t>(file.mode));
  append_number(to, size);
}

void carry_out_order(int socket) {
  OrderReader order(socket);
  const auto limits = order.number<ProcessLimits>();
  std::vector<std::string> argv(order.number<std::uint32_t>());
  for (auto& argument : argv) argument = order.text();
  std::vector<std::string> environment(order.number<std::uint32_t>());
  for (auto& entry : environment) entry = order.text();
  try {
    for (auto files = order.number<std::uint32_t>(); files > 0; --files) write_one_file(order);
    set_process_limits(limits);
  } catch (const SystemError& error) {
    give_up(socket, 'j', error.what(), exit_not_started);
  }
  run_program(argv, environment);
  const int reason = errno;
  give_up(socket, 's', argv[0] + ": " + error_text(reason), reason == ENOENT ? exit_not_found : exit_not_started);
}

}  // namespace pbotvm::guest

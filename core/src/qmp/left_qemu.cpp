// SPDX-License-Identifier: MIT
#include "qmp/left_qemu.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <sstream>

#include "pbotvm/error.h"

namespace pbotvm::qmp {
namespace {

constexpr const char* format = "pbotvm qemu, format 1";
constexpr std::size_t identity_bytes = 12;
constexpr std::size_t small_file = 4096;  // of /proc
constexpr int start_field = 22;           // of /proc/PID/stat
constexpr mode_t file_mode = 0640;

/// At most `limit` bytes of a file, nothing where it cannot be read.
std::string content(const UniqueFd& file, std::size_t limit) {
  std::string text(limit, '\0');
  std::size_t size = 0;
  while (file && size < limit) {
    const ssize_t got = ::read(file.get(), text.data() + size, limit - size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

/// What could not be looked at for want of descriptors or memory might be there.
UniqueFd demanded(UniqueFd descriptor, const std::string& what) {
  if (!descriptor && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
    throw Error(ErrorCode::unavailable, errno_text("look at " + what, errno));
  return descriptor;
}

std::string content(const std::string& path, std::size_t limit) {
  return content(demanded(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), path), limit);
}

std::string process_file(pid_t pid, const char* name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

std::string boot_id() {
  std::string id = content("/proc/sys/kernel/random/boot_id", small_file);
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

template <typename Number>
std::optional<Number> number_in(const std::string& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The name of the program, which comes second and in parentheses, may hold anything.
std::optional<std::uint64_t> start_of(pid_t pid) {
  const std::string stat = content(process_file(pid, "stat"), small_file);
  const std::size_t end_of_name = stat.rfind(')');
  if (end_of_name == std::string::npos) return std::nullopt;
  std::istringstream fields(stat.substr(end_of_name + 1));
  std::string field;
  for (int i = 3; i <= start_field; ++i)
    if (!(fields >> field)) return std::nullopt;
  return number_in<std::uint64_t>(field);
}

/// Arguments end with a null byte each.
bool has_argument(pid_t pid, const std::string& argument) {
  const std::string all = '\0' + content(process_file(pid, "cmdline"), max_process_arguments);
  return all.find('\0' + argument + '\0') != std::string::npos;
}

bool is_that_process(const LeftQemu& left) {
  struct stat status {};
  return left.boot == boot_id() && start_of(left.pid) == left.started &&
         ::stat(process_file(left.pid, "").c_str(), &status) == 0 && status.st_uid == left.user &&
         has_argument(left.pid, "chardev=" + monitor_id(left.identity) + ",mode=control");
}

/// The rest of the line after "`key` ".
std::optional<std::string> take(std::istringstream& lines, const std::string& key) {
  std::string line;
  if (!std::getline(lines, line) || !line.starts_with(key + " ")) return std::nullopt;
  return line.substr(key.size() + 1);
}

std::optional<LeftQemu> parse(const std::string& text) {
  std::istringstream lines(text);
  std::string pid;
  std::string first;
  if (!std::getline(lines, pid) || !std::getline(lines, first) || first != format) return std::nullopt;
  const auto started = take(lines, "started");
  const auto boot = take(lines, "boot");
  const auto identity = take(lines, "identity");
  const auto size = take(lines, "purpose");
  const auto process = number_in<pid_t>(pid);
  const auto bytes = size ? number_in<std::size_t>(*size) : std::nullopt;
  const auto ticks = started ? number_in<std::uint64_t>(*started) : std::nullopt;
  if (!boot || !identity || identity->empty() || !bytes || !ticks || !process || *process <= 1) return std::nullopt;
  const auto at = lines.tellg();
  if (at < 0 || text.size() - static_cast<std::size_t>(at) != *bytes) return std::nullopt;
  return LeftQemu{*process, *ticks, *boot, *identity, text.substr(static_cast<std::size_t>(at)), 0};
}

bool ended(const UniqueFd& pidfd, int timeout) {
  pollfd waiting{pidfd.get(), POLLIN, 0};
  int ready;
  while ((ready = ::poll(&waiting, 1, timeout)) < 0 && errno == EINTR) {
  }
  return ready == 1;
}

}  // namespace

std::string new_identity() {
  std::array<unsigned char, identity_bytes> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != ssize_t(bytes.size()))
    throw Error(ErrorCode::internal, errno_text("get random numbers", errno));
  std::string word;
  for (const unsigned char byte : bytes) {
    word += "0123456789abcdef"[byte >> 4];
    word += "0123456789abcdef"[byte & 15];
  }
  return word;
}

std::string monitor_id(const std::string& identity) {
  return identity.empty() ? "monitor" : "monitor-" + identity;
}

LeftQemu describe_process(pid_t pid, std::string identity, std::string purpose) {
  const auto started = start_of(pid);
  std::string boot = boot_id();
  if (!started || boot.empty())
    throw Error(ErrorCode::unavailable, "/proc does not tell when process " + std::to_string(pid) + " was started",
                "mount /proc, or set outlive of the machine's hypervisor to false");
  return LeftQemu{pid, *started, std::move(boot), std::move(identity), std::move(purpose), ::geteuid()};
}

void write_left_qemu(const std::string& path, const LeftQemu& left) {
  const std::string text = std::to_string(left.pid) + "\n" + format + "\nstarted " + std::to_string(left.started) +
                           "\nboot " + left.boot + "\nidentity " + left.identity + "\npurpose " +
                           std::to_string(left.purpose.size()) + "\n" + left.purpose;
  if (text.size() > max_left_qemu_file)
    throw Error(ErrorCode::unavailable, "a machine with so many settings cannot be written to " + path,
                "set outlive of the machine's hypervisor to false");
  const std::string unfinished = path + ".new";
  ::unlink(unfinished.c_str());
  const UniqueFd file(::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, file_mode));
  if (!file || ::write(file.get(), text.data(), text.size()) != ssize_t(text.size()) ||
      ::rename(unfinished.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(unfinished.c_str());
    throw Error(ErrorCode::unavailable, errno_text("write " + path, error));
  }
}

std::optional<LeftQemu> read_left_qemu(const std::string& path) {
  const UniqueFd file = demanded(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)), path);
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  const std::string text = content(file, max_left_qemu_file + 1);
  if (text.size() > max_left_qemu_file) return std::nullopt;
  auto left = parse(text);
  if (left) left->user = status.st_uid;
  return left;
}

UniqueFd open_left_qemu(const LeftQemu& left) {
  // First: from here on the number stands for one process only, or for none.
  UniqueFd pidfd = demanded(UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, left.pid, 0))),
                            "process " + std::to_string(left.pid));
  if (!pidfd || !is_that_process(left) || ended(pidfd, 0)) return {};
  return pidfd;
}

bool has_identity(QmpClient& monitor, const std::string& identity, const Deadline& deadline) {
  const nlohmann::json devices = monitor.execute("query-chardev", nlohmann::json::object(), deadline);
  const std::string own = monitor_id(identity);
  return std::ranges::any_of(devices, [&](const auto& device) { return text_at(device, "label") == own; });
}

bool end_process(const UniqueFd& pidfd, std::chrono::milliseconds grace, const Deadline& deadline) noexcept {
  const Deadline forced = earlier(Deadline::in(grace), deadline);
  ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGTERM, nullptr, 0);
  if (ended(pidfd, forced.poll_timeout())) return true;
  ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
  return ended(pidfd, deadline.poll_timeout());
}

}  // namespace pbotvm::qmp

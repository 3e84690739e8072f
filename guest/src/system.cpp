// SPDX-License-Identifier: MIT
#include "system.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "pbotvm/unique_fd.h"

namespace pbotvm::guest {

std::string error_text(int error) {
  return std::strerror(error);
}

SystemError::SystemError(const std::string& what) : SystemError(what, errno) {}

SystemError::SystemError(const std::string& what, int error)
    : std::runtime_error(what + ": " + error_text(error)), error_(error) {}

void log_line(const std::string& text) {
  const std::string line = "pbotvm-guest: " + text + "\n";
  // Nothing can be done about a log that does not take it.
  [[maybe_unused]] const auto written = write(STDERR_FILENO, line.data(), line.size());
}

void write_file(const std::string& path, std::string_view text) {
  write_file_at(AT_FDCWD, path.c_str(), text);
}

void write_file_at(int directory, const char* name, std::string_view text) {
  const UniqueFd file(openat(directory, name, O_WRONLY | O_CLOEXEC));
  if (!file) throw SystemError(std::string("open ") + name);
  if (write(file.get(), text.data(), text.size()) < 0) {
    throw SystemError("write '" + std::string(text) + "' to " + name);
  }
}

std::string read_again(int fd) {
  char text[4096];
  const auto size = pread(fd, text, sizeof text, 0);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

std::string read_file(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return file ? read_again(file.get()) : std::string();
}

std::uint64_t number_behind(std::string_view text, std::string_view key, std::uint64_t fallback) {
  std::uint64_t number = fallback;
  for_each_part(text, '\n', [&](std::string_view line) {
    if (!line.starts_with(key) || line.size() <= key.size()) return;
    line.remove_prefix(key.size());
    if (line.front() != ' ' && line.front() != ':') return;
    line.remove_prefix(std::min(line.find_first_of("0123456789"), line.size()));
    std::from_chars(line.data(), line.data() + line.size(), number);
  });
  return number;
}

void set_nonblocking(int fd) {
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

}  // namespace pbotvm::guest

// SPDX-License-Identifier: MIT
#pragma once

// Small helpers around system calls.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pbotvm::guest {

using Clock = std::chrono::steady_clock;

/// A system call that failed: "what: reason".
class SystemError : public std::runtime_error {
 public:
  explicit SystemError(const std::string& what);  ///< reads errno
  SystemError(const std::string& what, int error);
  int error() const { return error_; }

 private:
  int error_;
};

std::string error_text(int error);

/// One line on standard error, which the machine's init sends to the kernel's log.
void log_line(const std::string& text);

/// Writes the whole text to an existing file in one write. Throws SystemError.
void write_file(const std::string& path, std::string_view text);
void write_file_at(int directory, const char* name, std::string_view text);

/// At most 4 KiB from the start of an open file of proc, sys or a control group; empty when it cannot be read.
std::string read_again(int fd);
std::string read_file(const std::string& path);

/// The number behind `key` in lines of "key number"; `fallback` where there is none.
std::uint64_t number_behind(std::string_view text, std::string_view key, std::uint64_t fallback);

void set_nonblocking(int fd);

/// Splits at a separator; no empty parts.
template <typename Function>
void for_each_part(std::string_view text, char separator, Function function) {
  while (!text.empty()) {
    const auto end = text.find(separator);
    if (end != 0) function(text.substr(0, end));
    if (end == text.npos) return;
    text.remove_prefix(end + 1);
  }
}

}  // namespace pbotvm::guest

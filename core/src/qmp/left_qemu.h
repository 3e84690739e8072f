// SPDX-License-Identifier: MIT
#pragma once

// A QEMU that may outlive the host that started it, and how it is found again. A number of a process says little: it is
// given to another one as soon as the first is gone.

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "pbotvm/deadline.h"
#include "pbotvm/unique_fd.h"
#include "qmp/qmp.h"

namespace pbotvm::qmp {

inline constexpr const char* left_qemu_file = "qemu.pid";          ///< below the directory of a machine
inline constexpr std::size_t max_left_qemu_file = 256 * 1024;      ///< bytes; a longer one is none
inline constexpr std::size_t max_process_arguments = 1024 * 1024;  ///< bytes that are looked at

/// What is known of such a process.
struct LeftQemu {
  pid_t pid = -1;
  std::uint64_t started = 0;  ///< clock ticks since the system's start, see proc(5)
  std::string boot;           ///< of which start of the system
  std::string identity;       ///< a word in its arguments, as the argument `chardev=monitor-IDENTITY,mode=control`
  std::string purpose;        ///< all that it was started for; text without a bound but the file's
  uid_t user = 0;             ///< whose file it was read from
};

/// A random word, for LeftQemu::identity. Throws Error{internal}.
std::string new_identity();

/// The character device of the host's monitor: it bears the identity, if any.
std::string monitor_id(const std::string& identity);

/// What there is to know of the process `pid`, which has not run its program yet. Throws Error{unavailable}.
LeftQemu describe_process(pid_t pid, std::string identity, std::string purpose);

/// Whole or not at all: at `path`, for nobody but this user and its group. Its first line is the number of the process.
/// Throws Error{unavailable}.
void write_left_qemu(const std::string& path, const LeftQemu& left);

/// Nothing where there is no such file, or one that was not written whole. Throws Error{unavailable} where this process
/// lacks the means to look.
std::optional<LeftQemu> read_left_qemu(const std::string& path);

/// A pidfd of that very process: it has its number, its start, its arguments, and belongs to the user that the file
/// belongs to. Empty when that process is gone. What has the number now is looked at only.
/// Throws Error{unavailable} where this process lacks the means to look.
UniqueFd open_left_qemu(const LeftQemu& left);

/// Whether it is a QEMU of that identity that answers: a socket's name might lead to another one. Throws Error.
bool has_identity(QmpClient& monitor, const std::string& identity, const Deadline& deadline);

/// Ends the process behind a pidfd, at first by SIGTERM, after `grace` by SIGKILL, whatever is left of the deadline for
/// each. False when it is still there at the deadline, or may not be ended by this user.
bool end_process(const UniqueFd& pidfd, std::chrono::milliseconds grace, const Deadline& deadline) noexcept;

}  // namespace pbotvm::qmp

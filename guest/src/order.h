// SPDX-License-Identifier: MIT
#pragma once

// What the main loop tells a waiting stub to do: one step, and the directories and files to make before it; or to
// collect the job's files (collect.h). Both ends are this program.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pbotvm/job.h"

namespace pbotvm::guest {

/// The first byte of an order.
inline constexpr char run_order = 'r';
inline constexpr char collect_order = 'c';

/// Resource limits of one process (setrlimit(2)); all are set, none but the last two is zero.
struct ProcessLimits {
  std::uint64_t cpu_seconds = 0;
  std::uint64_t file_size = 0;
  std::uint64_t open_files = 0;
  std::uint64_t processes = 0;  ///< of the user; only where no control group counts them, otherwise 0
  std::uint64_t core_size = 0;  ///< of a file that a crash leaves; more than the hard limit is the hard limit
};

/// Appends the step, the directories to make, and how many files follow.
void append_order(std::string& to, const Step& step, const std::vector<std::string>& environment,
                  const ProcessLimits& limits, const std::vector<std::string>& directories, std::size_t files);
/// Appends a file's head; its `size` bytes follow, then the next file.
void append_order_file(std::string& to, const JobFile& file, std::uint64_t size);

/// Reads an order from a socket and carries it out: files, limits, exec; or the collection, which goes to standard
/// output. Never returns; what fails is told on the socket as a text that begins with 's' (the step's program) or 'j'
/// (the job cannot run).
[[noreturn]] void carry_out_order(int socket);

}  // namespace pbotvm::guest

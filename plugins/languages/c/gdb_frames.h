// SPDX-License-Identifier: MIT
#pragma once

// Reads the backtraces of gdb ("backtrace -full") and of eu-stack. A program can print what it likes into its own
// memory, and so into these texts: what cannot be read is left out.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pbotvm::c {

/// One frame of the author's own code.
struct Frame {
  std::size_t number = 0;                                   ///< gdb's, 0 is the innermost
  std::string function, arguments;                          ///< "main", "argc=1, argv=0x7fffffffed68"
  std::size_t line = 0;                                     ///< counted from 1
  std::size_t column = 0;                                   ///< of a byte, counted from 1; 0: unknown
  std::vector<std::pair<std::string, std::string>> locals;  ///< name and value; the innermost blocks come first
};

/// Innermost first; none of a library, a sanitizer or a signal's delivery. `file`: what the author's code is called.
/// `places` may be empty: frames have no columns then.
std::vector<Frame> read_backtrace(std::string_view gdb, std::string_view places, std::string_view file);

}  // namespace pbotvm::c

// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "pbotvm/deadline.h"

namespace pbotvm::cli {

/// How a program ended.
struct ProgramEnd {
  bool found = true;       ///< false: there is no such program
  bool timed_out = false;  ///< it was killed at the deadline
  int status = -1;         ///< exit status; 128 + signal; -1 where it did not end by itself
  std::string out, err;    ///< at most 4 MiB each; more is dropped

  bool succeeded() const { return found && !timed_out && status == 0; }
};

/// Runs a program (looked up in PATH) without standard input, in the C locale, so that its words can be told apart. Any
/// thread. Throws Error{internal} when it cannot be started for another reason than that it is not there.
ProgramEnd run_program(const std::vector<std::string>& arguments, const Deadline& deadline);

/// How a program ended that had the operator's terminal.
struct TerminalEnd {
  bool found = true;
  int status = -1;           ///< exit status; 128 + signal
  bool interrupted = false;  ///< this process was told to end meanwhile, and had the program end
};

/// While one lives, SIGINT, SIGTERM and SIGHUP do not end this process, so that it can clean up. They may be nested.
/// One thread.
class EndHeld {
 public:
  EndHeld();
  ~EndHeld();
  EndHeld(const EndHeld&) = delete;
  EndHeld& operator=(const EndHeld&) = delete;

  /// Whether one of them came since the outermost one was made.
  static bool told();

  /// Throws Error{unavailable} when one of them came.
  static void check();
};

/// Runs a program (looked up in PATH) with this process' standard input, output and error, for as long as it takes.
/// SIGTERM, SIGHUP and SIGINT are passed on to it, but a SIGINT of the terminal, which reaches it from there. It does
/// not outlive this process, and is not started where an EndHeld was told to end already. One thread at a time. Throws
/// Error{internal} when it cannot be started for another reason than that it is not there.
TerminalEnd run_on_terminal(const std::vector<std::string>& arguments);

}  // namespace pbotvm::cli

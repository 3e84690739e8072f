// SPDX-License-Identifier: MIT
#pragma once

// What a program that a signal has ended tells its author. The job's third step runs a debugger on the core file that
// the guest let the second one leave; here stands what that step is, and how what it printed is read. Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pbotvm/job.h"

namespace pbotvm::c {

inline constexpr std::string_view crash_label = "explain";

/// What begins the parts of what the step prints. A program can put anything into its memory, and so between the
/// debugger's words, and is not to forge their parts. What keeps the mark from a program: it is made from the whole
/// code and a secret of the host's process, and stands only in the arguments of the step that comes when the program
/// has ended. The same code has the same mark again: who saw one in a run of this very code could forge its next
/// explanation. Nothing shows it: crash_text() leaves the marks out, and what runs during that step is the debugger.
/// More than a wrong explanation to the author himself could not come of it. May be used by several threads at a time.
class CrashMarks {
 public:
  CrashMarks();  // with the secret of this process

  /// The same whenever it is asked for the same code; 32 hexadecimal digits.
  std::string mark_of(std::string_view code) const;

 private:
  std::string secret_;
};

/// The step that looks at the core of a crashed ./prog. It goes directly behind the step which runs that: a guest lets
/// a step leave a core only when the next one is run after a crash. It ends itself within 9 seconds; what it has found
/// until then counts. What it prints is for crash_text() alone.
Step crash_step(std::string_view mark);

/// For the step that runs the program: sanitizers leave signals to the kernel, and name no paths.
std::vector<std::pair<std::string, std::string>> run_environment();

struct CrashSource {
  std::string_view file;  ///< as the #line directives name it: "prog.c"
  std::string_view code;  ///< what the author wrote, with the lines that he knows
};

/// One line, such as "Program received signal SIGSEGV, Segmentation fault in main (argc=1, argv=0x7ff...) at statement:
/// *p = k; <local variables: p = 0x0; k = 7>", with who called the function behind the statement. Shorter where the
/// guest left no core or has no debugger. Empty when no signal ended the step `run`, or a limit struck. `run` and
/// `explain` are indices into Job::steps; `mark` is what crash_step() was given. What the debugger could not read is
/// left out.
std::string crash_text(const Result& result, std::uint32_t run, std::uint32_t explain, const CrashSource& source,
                       std::string_view mark);

}  // namespace pbotvm::c

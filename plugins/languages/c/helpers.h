// SPDX-License-Identifier: MIT
#pragma once

// print(x), ptype(x), whatis(x), dump(x), trace(f), trace(3, 7), watch(x) in a snippet: what they name is a debugger's
// to know. A snippet that uses one of them is run under gdb from its beginning, no other one is. The compiler sees a
// function that does nothing; gdb stops in it, reads what was asked, answers and goes on. Pure.

#include <string>
#include <string_view>

#include "pbotvm/job.h"

namespace pbotvm::c {

/// Whether code calls one of the helpers. A name that it declares or defines itself is its own.
bool uses_helpers(std::string_view code);

/// What stands behind the headers and before the code: an #include of a file that run_with_helpers() adds.
std::string helpers_prologue();

/// Changes a planned job so that the step `run`, which runs ./prog, does so under the debugger, and the one before it,
/// which compiles, leaves the debugger something to read whatever its options say (-g0, -s). Its end is the program's:
/// exit code or signal.
void run_with_helpers(Job& job, std::size_t run, std::string_view code, std::string_view file);

}  // namespace pbotvm::c

// SPDX-License-Identifier: MIT
#pragma once

#include "cli/command.h"

namespace pbotvm::cli {

inline constexpr char language_usage[] =
    "pbotvm [--config FILE] language test [--machine NAME] FILE|LANGUAGE...|--all\n"
    "         Checks a definition, and runs the hello and the stdin program of it or of languages: with the programs\n"
    "         of this system, as a guest without a machine around it, or in a machine. Of several languages one line\n"
    "         each: name, passed, failed or missing, seconds of both programs, Debian packages, why.\n"
    "Exit status: 1 a program did not do what it should; 69 the machine does not answer, or a program is missing;\n"
    "77 no such language; 78 a mistake in the definition.\n";

/// `pbotvm language`.
int run_language(const Invocation& invocation);

}  // namespace pbotvm::cli

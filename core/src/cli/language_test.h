// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "config/configuration.h"

namespace pbotvm::cli {

/// What `pbotvm language test` is asked for.
struct LanguageTest {
  /// Names of languages, or one file of a definition; none: every language.
  std::vector<std::string> what;
  std::string machine;  ///< empty: the programs of this system
};

/// Runs the hello and the stdin program of languages, and prints what was run and what came of it; of several languages
/// one line each: its name, "passed", "failed" or "missing", the seconds of the two programs, its Debian packages, and
/// why it did not pass, with tabs between them. Directly in the machine or through the host that holds it. Returns the
/// exit status. Throws ConfigurationError for a mistake in a definition, Error where nothing can be run.
int test_languages(config::Configuration configuration, const LanguageTest& test);

}  // namespace pbotvm::cli

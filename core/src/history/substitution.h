// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "history/edit_grammar.h"

namespace pbotvm::history {

/// `s/regex/text/gi`. The regular expression is RE2's (https://github.com/google/re2/wiki/Syntax), so that no text
/// makes it slow; time and memory are bounded all the same (docs/history.md). Throws EditError. Pure: any thread.
std::string substituted(std::string_view code, const Substitute& substitute);

}  // namespace pbotvm::history

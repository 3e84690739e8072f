// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "history/edit_grammar.h"
#include "history/patience.h"

namespace pbotvm::history {

/// `s/regex/text/gi`. The regular expression is RE2's (https://github.com/google/re2/wiki/Syntax), so that no text
/// makes it slow; processor time and memory are bounded all the same (docs/history.md), and the time. Throws EditError.
/// Any thread.
std::string substituted(std::string_view code, const Substitute& substitute, Patience::Time until);

}  // namespace pbotvm::history

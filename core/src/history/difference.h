// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace pbotvm::history {

/// How `newer` differs from `older`, on one line for a chat, word for word: `puts("[-hi-]{+bye+}");`, as wdiff writes
/// it. Long stretches in which nothing changed are shortened, line ends are shown as \n, and the whole is at most some
/// 2000 bytes. Empty where nothing differs. Its cost is bounded. Pure: any thread.
std::string difference(std::string_view older, std::string_view newer);

}  // namespace pbotvm::history

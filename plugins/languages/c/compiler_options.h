// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace pbotvm::c {

/// Rules for ToolOptions: what a request may hand to any of these compilers.
std::vector<std::string> option_rules();

}  // namespace pbotvm::c

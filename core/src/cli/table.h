// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace pbotvm::cli {

/// Rows of the same number of cells, at least one, as lines whose columns stand below each other.
std::string table_text(const std::vector<std::vector<std::string>>& rows);

}  // namespace pbotvm::cli

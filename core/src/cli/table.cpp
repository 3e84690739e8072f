// SPDX-License-Identifier: MIT
#include "cli/table.h"

#include <algorithm>

namespace pbotvm::cli {

namespace {

constexpr std::size_t gap = 2;  // blanks between two columns

}  // namespace

std::string table_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i)
      text += row[i] + (i + 1 < row.size() ? std::string(widths[i] - row[i].size() + gap, ' ') : "\n");
  }
  return text;
}

}  // namespace pbotvm::cli

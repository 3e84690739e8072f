// SPDX-License-Identifier: MIT
#include "bench.h"

#include <algorithm>
#include <cmath>

namespace pbotvm::bench {

double percentile(std::vector<double> values, double p) {
  if (values.empty()) return NAN;
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<std::size_t>(std::ceil(p / 100 * static_cast<double>(values.size())));
  return values[std::min(values.size(), std::max<std::size_t>(rank, 1)) - 1];
}

double rounded(double value) {
  return std::round(value * 1000) / 1000;
}

ordered_json summary(const std::vector<double>& values) {
  return {{"p50", rounded(percentile(values, 50))},
          {"p95", rounded(percentile(values, 95))},
          {"p99", rounded(percentile(values, 99))},
          {"n", values.size()}};
}

}  // namespace pbotvm::bench

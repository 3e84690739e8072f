// SPDX-License-Identifier: MIT
#pragma once

// What the benchmark's parts share.

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pbotvm/machine_settings.h"

namespace pbotvm::bench {

using nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds rest{5};  // between two measurements of any kind

struct Options {
  std::vector<std::string> transports;
  int count = 100;  ///< of each measurement of a time
  int slots = 0;    ///< jobs at one time; 0: what a machine has by default
  bool machine = true;
  std::string guest;  ///< without a machine: the socket that a guest program serves
  std::filesystem::path image;
  std::filesystem::path build;  ///< where bin/ and lib/ are
};

template <typename Call>
double milliseconds_of(Call&& call) {
  const auto begun = Clock::now();
  call();
  return std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
}

double percentile(std::vector<double> values, double p);
double rounded(double value);
ordered_json summary(const std::vector<double>& values);

}  // namespace pbotvm::bench

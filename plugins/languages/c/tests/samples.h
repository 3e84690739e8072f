// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace pbotvm::c {

/// What somebody writes in a channel, and what he reads.
struct Sample {
  const char* name;
  const char* code;
  const char* reply;
};

inline void PrintTo(const Sample& sample, std::ostream* to) {
  *to << sample.name;
}

inline std::string sample_name(const ::testing::TestParamInfo<Sample>& sample) {
  return sample.param.name;
}

}  // namespace pbotvm::c

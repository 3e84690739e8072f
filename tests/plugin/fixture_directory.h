// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

/// Where CMake put the plug-ins of one case.
inline std::filesystem::path fixture(const std::string& folder) {
  return std::filesystem::path(FIXTURES) / folder;
}

/// A directory of its own, gone with the test; its file `witness` is where fixtures tell what ran of them.
class ScratchTest : public ::testing::Test {
 protected:
  ScratchTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "pbotvm-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern);
    scratch = std::filesystem::canonical(pattern);
    ::setenv("FIXTURE_WITNESS", (scratch / "witness").c_str(), 1);
  }
  ~ScratchTest() override {
    ::unsetenv("FIXTURE_WITNESS");
    std::error_code ignored;
    std::filesystem::remove_all(scratch, ignored);
  }

  std::string witnessed() const {
    std::ostringstream text;
    std::ifstream in(scratch / "witness");
    if (in) text << in.rdbuf();
    return text.str();
  }

  std::filesystem::path scratch;
};

// SPDX-License-Identifier: MIT
#include "c_dialect.h"

#include <algorithm>
#include <stdexcept>

namespace pbotvm::c {

namespace {

constexpr bool c = false, cplusplus = true, gcc = false, clang = true;

}  // namespace

const std::vector<Dialect>& dialects() {
  static const std::vector<Dialect> all = {
      {"c89", "", "c89", c, gcc},
      {"c99", "", "c99", c, gcc},
      {"c11", "c", "c11", c, gcc},
      {"c17", "gcc", "c17", c, gcc},
      {"c2x", "c23", "c2x", c, gcc},
      {"clang89", "", "c89", c, clang},
      {"clang99", "", "c99", c, clang},
      {"clang11", "", "c11", c, clang},
      {"clang2x", "clang", "c2x", c, clang},
      {"c++", "cpp", "c++14", cplusplus, gcc},
      {"c++17", "g++", "c++17", cplusplus, gcc},
      {"c++20", "", "c++20", cplusplus, gcc},
      {"c++23", "", "c++23", cplusplus, gcc},
      {"clang++", "clangpp", "c++14", cplusplus, clang},
  };
  return all;
}

const Dialect& dialect(std::string_view name) {
  const auto found = std::find_if(dialects().begin(), dialects().end(),
                                  [&](const Dialect& each) { return each.name == name || each.other_name == name; });
  if (name.empty() || found == dialects().end()) throw std::out_of_range("no dialect of C: " + std::string(name));
  return *found;
}

std::string_view Dialect::compiler() const {
  if (clang) return cplusplus ? "clang++" : "clang";
  return cplusplus ? "g++" : "gcc";
}

std::vector<std::string> Dialect::default_options(bool carets) const {
  std::vector<std::string> options = {"-Wextra",
                                      "-Wall",
                                      "-Wno-unused-parameter",
                                      "-Wno-unused-variable",
                                      "-pedantic",
                                      "-Wfloat-equal",
                                      "-Wshadow",
                                      "-std=" + std::string(standard),
                                      "-lm",
                                      "-Wfatal-errors"};
  options.push_back(clang && !cplusplus ? "-fsanitize=integer,alignment,undefined" : "-fsanitize=alignment,undefined");
  if (name == "c11" || name == "c17" || name == "c2x") {
    options.push_back("-fsanitize-address-use-after-scope");
    options.push_back("-fno-omit-frame-pointer");
  }
  options.push_back(caret_option(carets));
  return options;
}

std::string Dialect::caret_option(bool carets) const {
  return std::string(carets ? "-f" : "-fno-") + (clang ? "caret-diagnostics" : "diagnostics-show-caret");
}

std::vector<std::string> Dialect::compile_command(const std::vector<std::string>& options) const {
  std::vector<std::string> argv = {std::string(compiler()), cplusplus ? "-ggdb" : "-gdwarf-2", "-g3",
                                   std::string(source())};
  const std::vector<std::string> used = options.empty() ? default_options() : options;
  argv.insert(argv.end(), used.begin(), used.end());
  argv.insert(argv.end(), {"-o", "prog"});
  return argv;
}

std::vector<std::string> Dialect::packages(std::string_view distribution) const {
  if (distribution == "debian") {
    if (clang) return {"clang", "libclang-rt-14-dev", "libc6-dev", "gdb", "elfutils"};
    return {cplusplus ? "g++" : "gcc", "libc6-dev", "gdb", "elfutils"};
  }
  if (distribution == "fedora") {
    if (clang) return {"clang", "compiler-rt", "glibc-devel", "gdb", "elfutils"};
    return {cplusplus ? "gcc-c++" : "gcc", "libubsan", "glibc-devel", "gdb", "elfutils"};
  }
  if (distribution == "opensuse") {
    if (clang) return {"clang", "glibc-devel", "gdb", "elfutils"};
    return {cplusplus ? "gcc-c++" : "gcc", "glibc-devel", "gdb", "elfutils"};
  }
  return {};
}

}  // namespace pbotvm::c

// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "pbotvm/job.h"
#include "pbotvm/settings.h"

namespace pbotvm::definitions {

inline constexpr std::size_t max_definition_steps = 8;

/// A step whose words may hold placeholders: `{file}` anywhere, `{options}` and `{arguments}` as words of their own.
struct StepTemplate {
  std::string label;
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> environment;
  bool reads_input = false;
  When when = When::after_success;
};

/// A language as its file describes it, checked. docs/languages.md explains the keys.
struct Definition {
  std::string name;
  std::vector<std::string> aliases;
  std::string file;
  std::vector<StepTemplate> steps;  ///< at least one; the last one is the program
  std::vector<std::string> options;
  std::vector<std::string> tools;
  std::vector<std::string> packages;
  std::string hello;
  std::string stdin_program;               ///< copies its input to its output; may be empty
  std::string comment_begin, comment_end;  ///< may be empty
};

/// Throws ConfigurationError with the place of the first mistake.
Definition read_definition(const Settings& settings);

/// All of the `*.yaml` files of the directories. A language of a later directory replaces one of the same name, and
/// takes its names from others; in one directory every name may occur once. Throws ConfigurationError, or Error for a
/// directory that cannot be read.
std::vector<Definition> read_directories(const std::vector<std::filesystem::path>& directories);

/// Whether any step has the placeholder.
bool uses(const Definition& definition, std::string_view placeholder);

}  // namespace pbotvm::definitions

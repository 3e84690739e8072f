// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "definition_files.h"
#include "pbotvm/job.h"
#include "pbotvm/settings.h"
#include "pbotvm/tool_options.h"

namespace pbotvm::definitions {

inline constexpr std::size_t max_definition_steps = 8;
inline constexpr std::size_t max_name = 64;     ///< bytes of a language's name, a step's label, a comment mark
inline constexpr std::size_t max_aliases = 31;  ///< with its name as many as a host takes
inline constexpr std::size_t max_tools = 64;
inline constexpr std::size_t max_tool = 255;  ///< bytes of a program's name

/// A step whose words may hold placeholders: `{file}` anywhere, `{options}` and `{arguments}` as words of their own.
struct StepTemplate {
  std::string label;
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> environment;
  bool reads_input = false;
  When when = When::after_success;
};

/// What makes a whole program of a line: stands around code that holds none of `unless`.
struct Wrap {
  std::vector<std::string> unless;
  std::string before, after;
};

/// A language as its file describes it, checked. docs/languages.md explains the keys.
struct Definition {
  std::string name;
  std::vector<std::string> aliases;
  std::string file;
  std::vector<StepTemplate> steps;  ///< at least one; the last one is the program
  std::vector<std::string> options;
  ToolOptions allowed{{}};  ///< what may stand in a request
  std::vector<Wrap> wraps;  ///< each around what the one before made
  std::string append;       ///< a last line of every program; may be empty
  std::vector<std::string> tools;
  std::map<std::string, std::vector<std::string>> packages;  ///< by distribution
  std::string hello;
  std::string stdin_program;               ///< copies its input to its output; may be empty
  std::string comment_begin, comment_end;  ///< may be empty
  std::string note;
  std::string origin;  ///< its file, and the one it replaces
};

/// Throws ConfigurationError with the place of the first mistake.
Definition read_definition(const Settings& settings);

/// All definitions of the directories, see DefinitionFiles::read(). A language of a later directory replaces one of the
/// same name, and takes its names from others; in one directory every name may occur once. Throws ConfigurationError,
/// or Error for a directory that cannot be read.
std::vector<Definition> read_directories(DefinitionFiles& files, const std::vector<std::filesystem::path>& directories);

/// Whether any step has the placeholder.
bool uses(const Definition& definition, std::string_view placeholder);

}  // namespace pbotvm::definitions

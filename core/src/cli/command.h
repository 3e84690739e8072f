// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "config/configuration.h"

namespace pbotvm::cli {

using Words = std::vector<std::string>;

/// The caller wrote a command as it cannot be: exit status 64 and the command's usage.
class UsageError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Behind it even --help is the command's own.
inline constexpr std::string_view end_of_options = "--";

/// What stands behind a command's name.
struct Invocation {
  std::optional<std::filesystem::path> file;  ///< --config
  Words words;
};

/// One command of `pbotvm`.
struct Command {
  std::string_view name;
  /// Without "usage: ": a line for each form, each with its summary, as `pbotvm --help` shows them.
  std::string_view usage;
  int (*run)(const Invocation& invocation);  ///< returns the exit status
  /// Every word behind the name is the command's own, but for a sole --help and for end_of_options right behind it.
  bool takes_all = false;
};

/// Options among the words of a command: --NAME is one of the flags that it knows, everything else is an operand.
class Options {
 public:
  /// Throws UsageError at an option that is not among `flags`, and for more than `operands` other words.
  Options(const Words& words, std::initializer_list<std::string_view> flags, std::size_t operands);

  bool has(std::string_view flag) const;
  const Words& operands() const { return operands_; }
  /// The operand at that place; empty where there are fewer.
  std::string operand(std::size_t index) const;

 private:
  Words flags_;
  Words operands_;
};

/// The folder of this program, of which the others stand beside it.
std::filesystem::path program_directory();

/// Everything that the host would read: built in, file, environment. Throws ConfigurationError.
config::Configuration load_configuration(const std::optional<std::filesystem::path>& file);

/// The configured machine of that name, the default one where it is empty; upper and lower case are the same. Throws
/// ConfigurationError with the names there are.
const config::MachineConfiguration& machine_of(const config::Configuration& configuration, const std::string& name);

/// Runs `words` as [--config FILE] COMMAND [WORD...]; --config may also stand behind the command. `fallback` is given
/// the command that is not among `commands`, and may be empty.
int run_command(std::span<const Command> commands, Words words, std::string_view help,
                const std::function<std::optional<int>(const Words& all, const std::string& command)>& fallback);

/// Runs `body` and turns what it throws into one line on standard error and an exit status of sysexits.h.
int guarded_main(const std::function<int()>& body);

/// Becomes another program, found in PATH where its name has no '/'. Comes back only by throwing Error{unavailable}.
[[noreturn]] void become(const Words& arguments, const std::string& remedy);

/// Becomes the program of that name beside this one. Comes back only by throwing.
[[noreturn]] void become_program(const std::string& name, const Words& arguments);

}  // namespace pbotvm::cli

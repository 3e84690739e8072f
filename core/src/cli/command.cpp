// SPDX-License-Identifier: MIT
#include "cli/command.h"

#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iostream>

#include "config/error_line.h"
#include "pbotvm/error.h"

namespace pbotvm::cli {

namespace {

constexpr std::string_view config_option = "--config";

int exit_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::configuration:
      return EX_CONFIG;
    case ErrorCode::refused:
      return EX_NOPERM;
    case ErrorCode::unavailable:
    case ErrorCode::timed_out:
      return EX_UNAVAILABLE;
    case ErrorCode::protocol:
      return EX_PROTOCOL;
    case ErrorCode::plugin:
    case ErrorCode::internal:
      break;
  }
  return EX_SOFTWARE;
}

// Takes --config FILE or --config=FILE out of the words, from `begin` on; only at their front where `front_only`.
void take_config(Words& words, std::size_t begin, bool front_only, std::optional<std::filesystem::path>& file) {
  for (std::size_t i = begin; i < words.size();) {
    const std::string assigned = std::string(config_option) + "=";
    if (words[i] == config_option) {
      if (i + 1 == words.size() || words[i + 1].empty()) throw UsageError("--config takes the name of a file");
      file = words[i + 1];
      words.erase(words.begin() + static_cast<std::ptrdiff_t>(i), words.begin() + static_cast<std::ptrdiff_t>(i) + 2);
    } else if (words[i].starts_with(assigned)) {
      if (words[i] == assigned) throw UsageError("--config takes the name of a file");
      file = words[i].substr(assigned.size());
      words.erase(words.begin() + static_cast<std::ptrdiff_t>(i));
    } else if (front_only) {
      return;
    } else {
      ++i;
    }
  }
}

// Where every word is code, only a sole --help asks.
bool asks_for_help(const Command& command, const Words& words) {
  if (command.takes_all) return words == Words{"--help"};
  return std::ranges::any_of(words, [](const std::string& word) { return word == "--help" || word == "-h"; });
}

int run_one(const Command& command, Words words, std::optional<std::filesystem::path> file) {
  if (asks_for_help(command, words)) {
    std::cout << "usage: " << command.usage;
    return 0;
  }
  try {
    if (!command.takes_all) {
      take_config(words, 0, false, file);
    } else if (!words.empty() && words[0] == end_of_options) {
      words.erase(words.begin());
    }
    return command.run({file, words});
  } catch (const UsageError& error) {
    std::cerr << "pbotvm: " << error_line(error.what()) << "\nusage: " << command.usage;
    return EX_USAGE;
  }
}

}  // namespace

Options::Options(const Words& words, std::initializer_list<std::string_view> flags, std::size_t operands) {
  for (const auto& word : words) {
    if (!word.starts_with("-") || word == "-") {
      operands_.push_back(word);
    } else if (std::ranges::find(flags, word) == flags.end()) {
      throw UsageError("'" + word + "' is no option of this command");
    } else {
      flags_.push_back(word);
    }
  }
  if (operands_.size() > operands) throw UsageError("'" + operands_[operands] + "' is one word too many");
}

bool Options::has(std::string_view flag) const {
  return std::ranges::find(flags_, flag) != flags_.end();
}

std::string Options::operand(std::size_t index) const {
  return index < operands_.size() ? operands_[index] : std::string();
}

std::filesystem::path program_directory() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

config::Configuration load_configuration(const std::optional<std::filesystem::path>& file) {
  config::Sources sources;
  sources.file = file;
  sources.environment = config::process_environment();
  sources.install_prefix = program_directory().parent_path();
  return config::load(sources);
}

const config::MachineConfiguration& machine_of(const config::Configuration& configuration, const std::string& name) {
  const std::string& wanted = name.empty() ? configuration.default_machine : name;
  std::string names;
  for (const auto& machine : configuration.machines) {
    if (::strcasecmp(machine.settings.name.c_str(), wanted.c_str()) == 0) return machine;
    names += (names.empty() ? "" : ", ") + machine.settings.name;
  }
  throw ConfigurationError("machines", "found no machine '" + wanted + "', there are " + names);
}

int run_command(std::span<const Command> commands, Words words, std::string_view help,
                const std::function<std::optional<int>(const Words& all, const std::string& command)>& fallback) {
  const Words all = words;
  try {
    std::optional<std::filesystem::path> file;
    take_config(words, 0, true, file);
    if (words.empty()) throw UsageError("a command is missing");
    const std::string name = words[0];
    if (name == "--help" || name == "-h") {
      std::cout << help;
      return 0;
    }
    for (const auto& command : commands) {
      if (command.name == name) return run_one(command, {words.begin() + 1, words.end()}, file);
    }
    if (fallback) {
      if (const auto status = fallback(all, name)) return *status;
    }
    throw UsageError("'" + name + "' is no command");
  } catch (const UsageError& error) {
    std::cerr << "pbotvm: " << error_line(error.what()) << '\n' << help;
    return EX_USAGE;
  }
}

int guarded_main(const std::function<int()>& body) {
  try {
    return body();
  } catch (const ConfigurationError& error) {
    std::cerr << error_line(error.what()) << '\n';  // names its place first
    return EX_CONFIG;
  } catch (const Error& error) {
    std::cerr << "pbotvm: " << error_line(error.what()) << '\n';
    return exit_status(error.code());
  } catch (const std::exception& error) {
    std::cerr << "pbotvm: " << error_line(error.what()) << '\n';
    return EX_SOFTWARE;
  }
}

void become(const Words& arguments, const std::string& remedy) {
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  throw Error(ErrorCode::unavailable, errno_text("start " + arguments.front(), errno), remedy);
}

void become_program(const std::string& name, const Words& arguments) {
  Words all = {program_directory() / name};
  all.insert(all.end(), arguments.begin(), arguments.end());
  become(all, "it is installed beside pbotvm: install PBotVM again");
}

}  // namespace pbotvm::cli

// SPDX-License-Identifier: MIT

// The program `pbotvm-plugin-check`: loads one plug-in file as a host does, and looks whether it keeps the contract of
// its kind. Authors run it through add_pbotvm_contract_tests() and add_pbotvm_language_test().

#include <sysexits.h>

#include <algorithm>
#include <iostream>
#include <map>

#include "contracts.h"
#include "plugin/registry.h"

namespace {

using namespace pbotvm;
using namespace pbotvm::contract;

constexpr char usage[] =
    "usage: pbotvm-plugin-check [OPTION...] KIND-NAME.so\n"
    "Looks whether a plug-in keeps the contract of its kind, and tells of each part in a line.\n"
    "  --settings YAML     the plug-in's own map. In a transport's %unix% and %tcp% are places that listen; in a\n"
    "                      hypervisor's %folder% is the folder of the machine's lines data.sock and heart.sock\n"
    "  --start             a hypervisor also starts, puts back and ends a machine with these settings\n"
    "  --definitions DIR   a directory of YAML definitions, for a language\n"
    "  --code CODE --reply TEXT [--language NAME] [--input TEXT] [--arguments TEXT]\n"
    "                      instead: sends a request to a language, runs its plan here, and compares the reply\n"
    "Exit status: 0 kept, 1 broken, 64 wrong usage.\n";

struct UsageError {
  std::string text;
};

struct Arguments {
  std::map<std::string, std::string> values;
  std::filesystem::path file;
  bool start = false;

  std::string value(const std::string& name) const {
    const auto found = values.find(name);
    return found == values.end() ? std::string() : found->second;
  }
};

Arguments read_arguments(const std::vector<std::string>& words) {
  Arguments arguments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--start") {
      arguments.start = true;
    } else if (word.starts_with("--")) {
      static const std::vector<std::string> known = {"--settings", "--definitions", "--code",     "--reply",
                                                     "--language", "--input",       "--arguments"};
      if (std::find(known.begin(), known.end(), word) == known.end()) throw UsageError{"'" + word + "' is no option"};
      if (++i == words.size()) throw UsageError{word + " takes a value"};
      arguments.values[word] = words[i];
    } else if (!arguments.file.empty()) {
      throw UsageError{"'" + word + "' is one file too many"};
    } else {
      arguments.file = word;
    }
  }
  if (arguments.file.empty()) throw UsageError{"the plug-in's file is missing"};
  if (arguments.values.count("--code") != arguments.values.count("--reply"))
    throw UsageError{"--code and --reply go together"};
  return arguments;
}

/// What became of that very file; a registry loads whole directories, so it is given one that holds nothing else.
std::string refusal_of(const plugin::Registry& registry) {
  if (registry.list().size() != 1) return "its name must be KIND-NAME.so";
  const auto& entry = registry.list().front();
  return entry.state == plugin::Entry::State::loaded ? "" : entry.reason;
}

void check_languages(Checks& checks, const plugin::Registry& registry, const Arguments& arguments) {
  const auto plugin = registry.languages().at(0);
  LanguageContext context;
  if (const auto directory = arguments.value("--definitions"); !directory.empty())
    context.definition_directories.emplace_back(directory);
  if (arguments.values.count("--code") == 0) return check_language(checks, plugin.name, plugin.factory, context);
  ExpectedReply expected;
  expected.language = arguments.value("--language");
  expected.request.code = arguments.value("--code");
  expected.request.input = arguments.value("--input");
  expected.request.arguments = arguments.value("--arguments");
  expected.reply = arguments.value("--reply");
  check_reply(checks, plugin.name, plugin.factory, context, expected);
}

void check_kind(Checks& checks, const plugin::Registry& registry, const Arguments& arguments) {
  const auto& entry = registry.list().front();
  const std::string settings = arguments.values.count("--settings") != 0 ? arguments.value("--settings") : "{}";
  if (entry.kind == "language") check_languages(checks, registry, arguments);
  if (entry.kind == "transport") check_transport(checks, entry.name, registry.transport(entry.name), settings);
  if (entry.kind == "hypervisor")
    check_hypervisor(checks, entry.name, registry.hypervisor(entry.name), settings, arguments.start);
}

int check(const Arguments& arguments) {
  if (!std::filesystem::is_regular_file(arguments.file)) throw UsageError{arguments.file.string() + ": no such file"};
  const TemporaryFolder folder;
  std::filesystem::create_symlink(std::filesystem::canonical(arguments.file),
                                  folder.path() / arguments.file.filename());
  const plugin::Registry registry({folder.path()});
  Checks checks;
  checks.run("a host loads it", [&] {
    const std::string refusal = refusal_of(registry);
    demand(refusal.empty(), refusal);
  });
  if (checks.broken() == 0) check_kind(checks, registry, arguments);
  std::cout << arguments.file.filename().string() << ": " << checks.done() - checks.broken() << " of " << checks.done()
            << " kept\n";
  return checks.broken() == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (words == std::vector<std::string>{"--help"}) {
    std::cout << usage;
    return 0;
  }
  try {
    return check(read_arguments(words));
  } catch (const UsageError& error) {
    std::cerr << "pbotvm-plugin-check: " << error.text << '\n' << usage;
    return EX_USAGE;
  } catch (const std::exception& error) {
    std::cerr << "pbotvm-plugin-check: " << error.what() << '\n';
    return EX_SOFTWARE;
  }
}

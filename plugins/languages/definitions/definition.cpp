// SPDX-License-Identifier: MIT
#include "definition.h"

#include <algorithm>
#include <map>
#include <system_error>

namespace pbotvm::definitions {

namespace {

constexpr std::string_view lower_and_digits = "abcdefghijklmnopqrstuvwxyz0123456789";

bool consists_of(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

std::string checked_name(const Settings& node) {
  const std::string name = node.text();
  if (!consists_of(name, std::string(lower_and_digits) + "+#_.-"))
    node.fail("'" + name + "' is no name of a language; accepted are lower case letters, digits and + # _ . -");
  return name;
}

Settings required(const Settings& mapping, std::string_view key) {
  auto node = mapping.find(key);
  if (!node) mapping.fail("the key '" + std::string(key) + "' is missing");
  return *node;
}

std::string checked_file(const Settings& node) {
  const std::string file = node.text();
  const bool plain = consists_of(file, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-");
  if (!plain || file.front() == '.' || file.front() == '-' || file.size() > 255)
    node.fail("'" + file + "' is no plain file name; accepted is one such as prog.py, without a directory");
  return file;
}

// A placeholder is a brace, lower case letters and a brace; other braces mean themselves.
void check_word(const Settings& node) {
  const std::string word = node.text();
  for (std::size_t open = word.find('{'); open != std::string::npos; open = word.find('{', open + 1)) {
    const std::size_t close = word.find('}', open);
    if (close == std::string::npos) return;
    const std::string name = word.substr(open + 1, close - open - 1);
    if (!consists_of(name, lower_and_digits)) continue;
    if (name != "file" && name != "options" && name != "arguments")
      node.fail("'{" + name + "}' is no placeholder; accepted are {file}, {options} and {arguments}");
    if (name != "file" && word.size() != name.size() + 2)
      node.fail("'{" + name + "}' stands for several words, so it must be a word of its own");
  }
}

// A command is a list on purpose: there is no shell that would split a text.
std::vector<std::string> read_argv(const Settings& node) {
  if (!node.is_sequence()) node.fail("a command is a list of words, such as [python3, \"{options}\", \"{file}\"]");
  std::vector<std::string> argv;
  for (const Settings& word : node.items()) {
    check_word(word);
    argv.push_back(word.text());
  }
  if (argv.empty()) node.fail("a command needs at least one word");
  if (argv.front().empty() || argv.front().front() == '{')
    node.items().front().fail("the first word is the program's name");
  return argv;
}

std::vector<std::pair<std::string, std::string>> read_environment(const Settings& mapping) {
  std::vector<std::pair<std::string, std::string>> environment;
  const auto node = mapping.find("environment");
  if (!node) return environment;
  for (const auto& [name, value] : node->entries()) {
    if (name.empty() || name.find('=') != std::string::npos)
      node->key(name).fail("'" + name + "' is no variable's name");
    environment.emplace_back(name, value.text());
  }
  return environment;
}

When read_when(const Settings& step, When fallback) {
  const auto node = step.find("when");
  if (!node) return fallback;
  const std::string text = node->text();
  if (text == "always") return When::always;
  if (text == "after_success") return When::after_success;
  node->fail("'" + text + "' is no condition; accepted are always and after_success");
}

StepTemplate read_step(const Settings& node, bool first, bool last) {
  node.accept_only({"label", "argv", "environment", "reads_input", "when"});
  StepTemplate step;
  step.label = required(node, "label").text();
  if (step.label.empty()) required(node, "label").fail("a label is a word such as compile or run");
  step.argv = read_argv(required(node, "argv"));
  step.environment = read_environment(node);
  step.reads_input = node.boolean("reads_input", last);
  step.when = read_when(node, first ? When::always : When::after_success);
  return step;
}

std::vector<StepTemplate> read_steps(const Settings& settings) {
  const auto compile = settings.find("compile"), run = settings.find("run"), list = settings.find("steps");
  std::vector<StepTemplate> steps;
  if (list) {
    if (compile || run)
      settings.key(compile ? "compile" : "run").fail("'steps' is there already; write one or the other");
    const std::vector<Settings> nodes = list->items();
    if (nodes.empty() || nodes.size() > max_definition_steps)
      list->fail("accepted are 1 to " + std::to_string(max_definition_steps) + " steps");
    for (std::size_t i = 0; i < nodes.size(); ++i) steps.push_back(read_step(nodes[i], i == 0, i + 1 == nodes.size()));
    return steps;
  }
  if (!run) settings.fail("the key 'run' is missing (or 'steps'): the command that runs the program");
  if (compile) steps.push_back({"compile", read_argv(*compile), {}, false, When::always});
  steps.push_back({"run", read_argv(*run), {}, true, compile ? When::after_success : When::always});
  return steps;
}

// The programs that the steps call, as far as they are looked up in PATH.
std::vector<std::string> called_programs(const std::vector<StepTemplate>& steps) {
  std::vector<std::string> tools;
  for (const StepTemplate& step : steps) {
    const std::string& program = step.argv.front();
    const bool known = std::find(tools.begin(), tools.end(), program) != tools.end();
    if (program.find('/') == std::string::npos && !known) tools.push_back(program);
  }
  return tools;
}

void read_comment(const Settings& settings, Definition& definition) {
  const auto node = settings.find("comment");
  if (!node) return;
  node->accept_only({"begin", "end"});
  definition.comment_begin = required(*node, "begin").text();
  definition.comment_end = required(*node, "end").text();
}

}  // namespace

Definition read_definition(const Settings& settings) {
  settings.accept_only({"name", "aliases", "file", "run", "compile", "steps", "options", "environment", "tools",
                        "hello", "stdin_program", "packages", "comment"});
  Definition definition;
  definition.name = checked_name(required(settings, "name"));
  if (const auto aliases = settings.find("aliases"))
    for (const Settings& alias : aliases->items()) definition.aliases.push_back(checked_name(alias));
  definition.file = checked_file(required(settings, "file"));
  definition.steps = read_steps(settings);
  const auto environment = read_environment(settings);
  for (StepTemplate& step : definition.steps)
    step.environment.insert(step.environment.begin(), environment.begin(), environment.end());
  definition.options = settings.texts("options", {});
  if (!definition.options.empty() && !uses(definition, "{options}"))
    settings.key("options").fail("no command has the word {options} where they would stand");
  definition.tools = settings.texts("tools", called_programs(definition.steps));
  definition.packages = settings.texts("packages", {});
  definition.hello = required(settings, "hello").text();
  if (const auto program = settings.find("stdin_program")) definition.stdin_program = program->text();
  read_comment(settings, definition);
  return definition;
}

bool uses(const Definition& definition, std::string_view placeholder) {
  return std::any_of(definition.steps.begin(), definition.steps.end(), [&](const StepTemplate& step) {
    return std::find(step.argv.begin(), step.argv.end(), placeholder) != step.argv.end();
  });
}

namespace {

std::vector<std::filesystem::path> yaml_files(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error))
    if (at->path().extension() == ".yaml") files.push_back(at->path());
  if (error)
    throw Error(ErrorCode::configuration, "read language definitions in " + directory.string() + ": " + error.message(),
                "name existing directories in host.languages or PBOTVM_LANGUAGES");
  std::sort(files.begin(), files.end());
  return files;
}

// Where each name of this directory was given.
using Names = std::map<std::string, std::string>;

void claim(Names& names, const std::string& name, const Settings& node) {
  const auto [known, fresh] = names.emplace(name, node.position());
  if (!fresh) node.fail("the name '" + name + "' is taken already, at " + known->second);
}

std::vector<Definition> read_directory(const std::filesystem::path& directory) {
  std::vector<Definition> definitions;
  Names names;
  for (const std::filesystem::path& file : yaml_files(directory)) {
    const Settings settings = Settings::load(file);
    definitions.push_back(read_definition(settings));
    claim(names, definitions.back().name, *settings.find("name"));
    if (const auto aliases = settings.find("aliases"))
      for (const Settings& alias : aliases->items()) claim(names, alias.text(), alias);
  }
  return definitions;
}

// Takes the names of a later definition from the earlier ones.
void give_way(std::vector<Definition>& earlier, const Definition& later) {
  std::erase_if(earlier, [&](const Definition& definition) { return definition.name == later.name; });
  for (Definition& definition : earlier) {
    std::erase(definition.aliases, later.name);
    for (const std::string& alias : later.aliases) std::erase(definition.aliases, alias);
  }
}

}  // namespace

std::vector<Definition> read_directories(const std::vector<std::filesystem::path>& directories) {
  std::vector<Definition> all;
  for (const std::filesystem::path& directory : directories) {
    std::vector<Definition> definitions = read_directory(directory);
    for (const Definition& definition : definitions) give_way(all, definition);
    std::move(definitions.begin(), definitions.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace pbotvm::definitions

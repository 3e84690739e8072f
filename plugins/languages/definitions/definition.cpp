// SPDX-License-Identifier: MIT
#include "definition.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

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
  if (name.size() > max_name) node.fail("a name has at most " + std::to_string(max_name) + " characters");
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

std::vector<std::string> checked_aliases(const Settings& settings) {
  std::vector<std::string> aliases;
  const auto node = settings.find("aliases");
  if (!node) return aliases;
  for (const Settings& alias : node->items()) {
    if (aliases.size() == max_aliases) alias.fail("at most " + std::to_string(max_aliases) + " aliases are accepted");
    aliases.push_back(checked_name(alias));
  }
  return aliases;
}

bool is_plain(char c) {
  return c > ' ' && c < 0x7f;
}

// Up to `most` printable ASCII characters.
std::string checked_word(const Settings& node, std::size_t most, const std::string& accepted) {
  const std::string word = node.text();
  if (word.empty() || word.size() > most || !std::all_of(word.begin(), word.end(), is_plain))
    node.fail("accepted is " + accepted + ", without blanks and with at most " + std::to_string(most) + " characters");
  return word;
}

std::string checked_mark(const Settings& node) {
  const std::string mark = node.text();
  const auto control = [](unsigned char c) { return c < ' ' || c == 0x7f; };
  if (mark.size() > max_name || std::any_of(mark.begin(), mark.end(), control))
    node.fail("a comment mark has at most " + std::to_string(max_name) + " characters in one line");
  return mark;
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
  step.label = checked_word(required(node, "label"), max_name, "a label such as compile or run");
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
  definition.comment_begin = checked_mark(required(*node, "begin"));
  definition.comment_end = checked_mark(required(*node, "end"));
}

std::vector<std::string> read_tools(const Settings& settings, const std::vector<StepTemplate>& steps) {
  const auto node = settings.find("tools");
  if (!node) return called_programs(steps);
  std::vector<std::string> tools;
  for (const Settings& tool : node->items()) {
    if (tools.size() == max_tools) tool.fail("at most " + std::to_string(max_tools) + " tools are accepted");
    tools.push_back(checked_word(tool, max_tool, "the name of a program"));
  }
  return tools;
}

std::string read_hello(const Settings& settings) {
  const Settings node = required(settings, "hello");
  const std::string hello = node.text();
  if (hello.find_first_not_of(" \t\r\n") == std::string::npos)
    node.fail("a hello program prints a line; an empty one cannot");
  return hello;
}

// A plain list is Debian's: that is what the guest image is made of.
void read_packages(const Settings& settings, Definition& definition) {
  const auto node = settings.find("packages");
  if (!node) return;
  if (node->is_mapping()) {
    for (const auto& [distribution, packages] : node->entries()) {
      if (!consists_of(distribution, lower_and_digits))
        node->key(distribution)
            .fail("'" + distribution + "' is no distribution; accepted are words such as debian, fedora and opensuse");
      definition.packages[distribution] = node->texts(distribution, {});
    }
  } else {
    definition.packages["debian"] = settings.texts("packages", {});
  }
  for (const auto& [distribution, packages] : definition.packages)
    for (const std::string& package : packages)
      if (!consists_of(package, std::string(lower_and_digits) + "ABCDEFGHIJKLMNOPQRSTUVWXYZ+._-"))
        node->fail("'" + package + "' is no name of a package");
}

Wrap read_wrap(const Settings& node) {
  node.accept_only({"unless", "before", "after"});
  Wrap wrap{node.texts("unless", {}), node.text("before", ""), node.text("after", "")};
  if (wrap.unless.empty() || std::count(wrap.unless.begin(), wrap.unless.end(), "") > 0)
    node.fail("the key 'unless' is missing: what a whole program holds, such as \"fn main\"");
  return wrap;
}

std::vector<Wrap> read_wraps(const Settings& settings) {
  const auto node = settings.find("wrap");
  if (!node) return {};
  if (!node->is_sequence()) return {read_wrap(*node)};
  std::vector<Wrap> wraps;
  for (const Settings& one : node->items()) wraps.push_back(read_wrap(one));
  return wraps;
}

// What the definition itself uses is allowed too.
std::vector<std::string> rules_of(const std::vector<std::string>& options) {
  std::vector<std::string> rules;
  for (const std::string& word : options) {
    if (word.starts_with('-') || rules.empty()) {
      rules.push_back(word);
    } else {
      rules.back() += ' ' + word;
    }
  }
  return rules;
}

void read_options(const Settings& settings, Definition& definition) {
  definition.options = settings.texts("options", {});
  const auto allow = settings.find("allow");
  for (const char* key : {"options", "allow"})
    if (settings.find(key) && !uses(definition, "{options}"))
      settings.key(key).fail("no command has the word {options} where they would stand");
  std::vector<std::string> rules = rules_of(definition.options);
  try {
    ToolOptions{rules};
  } catch (const Error&) {
    settings.find("options")->fail("options begin with '-'; a value stands behind its option, one at most");
  }
  if (allow) {
    for (const Settings& rule : allow->items()) {
      try {
        ToolOptions{{rule.text()}};
      } catch (const Error& error) {
        rule.fail(error.what());
      }
      rules.push_back(rule.text());
    }
  }
  definition.allowed = ToolOptions(std::move(rules));
}

}  // namespace

Definition read_definition(const Settings& settings) {
  settings.accept_only({"name", "aliases", "file", "run", "compile", "steps", "options", "allow", "wrap", "append",
                        "environment", "tools", "hello", "stdin_program", "packages", "comment", "note"});
  Definition definition;
  definition.name = checked_name(required(settings, "name"));
  definition.aliases = checked_aliases(settings);
  definition.file = checked_file(required(settings, "file"));
  definition.steps = read_steps(settings);
  const auto environment = read_environment(settings);
  for (StepTemplate& step : definition.steps)
    step.environment.insert(step.environment.begin(), environment.begin(), environment.end());
  read_options(settings, definition);
  definition.wraps = read_wraps(settings);
  definition.append = settings.text("append", "");
  definition.tools = read_tools(settings, definition.steps);
  read_packages(settings, definition);
  definition.hello = read_hello(settings);
  if (const auto program = settings.find("stdin_program")) definition.stdin_program = program->text();
  read_comment(settings, definition);
  definition.note = settings.text("note", "");
  if (definition.note.find('\n') != std::string::npos) settings.find("note")->fail("a note is one line");
  return definition;
}

bool uses(const Definition& definition, std::string_view placeholder) {
  return std::any_of(definition.steps.begin(), definition.steps.end(), [&](const StepTemplate& step) {
    return std::find(step.argv.begin(), step.argv.end(), placeholder) != step.argv.end();
  });
}

namespace {

// Where each name of this directory was given.
using Names = std::map<std::string, std::string>;

void claim(Names& names, const std::string& name, const Settings& node) {
  const auto [known, fresh] = names.emplace(name, node.position());
  if (!fresh) node.fail("the name '" + name + "' is taken already, at " + known->second);
}

std::vector<Definition> read_directory(DefinitionFiles& files, const std::filesystem::path& directory) {
  std::vector<Definition> definitions;
  Names names;
  for (const auto& [path, settings] : files.read(directory)) {
    definitions.push_back(read_definition(settings));
    definitions.back().origin = path.string();
    claim(names, definitions.back().name, *settings.find("name"));
    if (const auto aliases = settings.find("aliases"))
      for (const Settings& alias : aliases->items()) claim(names, alias.text(), alias);
  }
  return definitions;
}

std::set<std::string> names_in(const std::vector<Definition>& definitions) {
  std::set<std::string> names;
  for (const Definition& definition : definitions) {
    names.insert(definition.name);
    names.insert(definition.aliases.begin(), definition.aliases.end());
  }
  return names;
}

// Takes the names of a later definition from the earlier ones. What replaces a language and names no aliases has those
// of the one before, unless its directory gives them to others: who writes `-lang=python` means python3, whoever
// describes it.
void give_way(std::vector<Definition>& earlier, Definition& later, const std::set<std::string>& given) {
  for (const Definition& definition : earlier) {
    if (std::count(later.aliases.begin(), later.aliases.end(), definition.name) > 0)
      throw ConfigurationError(later.origin, "the alias '" + definition.name + "' is the name of the language of " +
                                                 definition.origin + "; take it out, or name this language so");
    if (definition.name != later.name) continue;
    later.origin += ", instead of " + definition.origin;
    if (!later.aliases.empty()) continue;
    std::copy_if(definition.aliases.begin(), definition.aliases.end(), std::back_inserter(later.aliases),
                 [&](const std::string& alias) { return !given.contains(alias); });
  }
  std::erase_if(earlier, [&](const Definition& definition) { return definition.name == later.name; });
  for (Definition& definition : earlier) {
    std::erase(definition.aliases, later.name);
    for (const std::string& alias : later.aliases) std::erase(definition.aliases, alias);
  }
}

}  // namespace

std::vector<Definition> read_directories(DefinitionFiles& files,
                                         const std::vector<std::filesystem::path>& directories) {
  std::vector<Definition> all;
  for (const std::filesystem::path& directory : directories) {
    std::vector<Definition> definitions = read_directory(files, directory);
    const std::set<std::string> given = names_in(definitions);
    for (Definition& definition : definitions) give_way(all, definition, given);
    std::move(definitions.begin(), definitions.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace pbotvm::definitions

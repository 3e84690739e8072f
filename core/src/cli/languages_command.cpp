// SPDX-License-Identifier: MIT
#include "cli/languages_command.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>

#include "cli/control_client.h"
#include "cli/table.h"
#include "config/error_line.h"
#include "pbotvm/error.h"
#include "pbotvm/reply_text.h"
#include "plugin/registry.h"
#include "service/assembly.h"
#include "service/language_list.h"

namespace pbotvm::cli {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr int not_served = 1;
constexpr auto host_patience = 10s;  // it answers from memory
constexpr std::size_t most_columns = 100;
constexpr std::size_t name_width = 14, guest_width = 22, packages_width = 30;

struct Wanted {
  bool as_json = false;
  std::optional<std::string> machine, distribution;
  Words names;
};

Wanted wanted_of(const Words& words) {
  Wanted wanted;
  for (auto word = words.begin(); word != words.end(); ++word) {
    const bool valued = *word == "--machine" || *word == "--packages";
    if (valued && (std::next(word) == words.end() || std::next(word)->empty()))
      throw UsageError(*word + (*word == "--machine" ? " takes the name of a machine" : " takes a distribution"));
    if (*word == "--json") {
      wanted.as_json = true;
    } else if (valued) {
      (*word == "--machine" ? wanted.machine : wanted.distribution) = *std::next(word);
      ++word;
    } else if (word->starts_with("-")) {
      throw UsageError("'" + *word + "' is no option of this command");
    } else {
      wanted.names.push_back(*word);
    }
  }
  if (!wanted.distribution) return wanted;
  if (wanted.as_json || wanted.machine) throw UsageError("--packages goes with neither --json nor --machine");
  if (std::ranges::find(service::distributions(), *wanted.distribution) == service::distributions().end())
    throw UsageError("'" + *wanted.distribution + "' is none of the distributions debian, fedora and opensuse");
  if (wanted.names.size() != 1) throw UsageError("--packages takes languages separated by commas, or all");
  return wanted;
}

std::string text_of(const json& object, const char* key) {
  return printable(object.value(key, ""));
}

std::string joined(const json& list, const char* separator = ", ") {
  std::string text;
  for (const auto& one : list) text += (text.empty() ? "" : separator) + printable(one.get<std::string>());
  return text;
}

// At most so many bytes, the end left out of a longer one.
std::string cut(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  text.resize(most - 2);
  while (!text.empty() && (text.back() == ' ' || text.back() == ',')) text.pop_back();
  return text + "..";
}

bool is_called(const json& language, const std::string& name) {
  const auto& aliases = language.at("aliases");
  return language.at("name") == name || std::find(aliases.begin(), aliases.end(), name) != aliases.end();
}

// "yes", "lacks ruby", "not known"; with several machines that differ "main: yes, test: lacks ruby".
std::string guests_text(const json& language) {
  const auto& guests = language.at("missing");
  std::string text, first;
  bool alike = true;
  for (const auto& [machine, missing] : guests.items()) {
    const std::string has = missing.is_null() ? "not known" : missing.empty() ? "yes" : "lacks " + joined(missing, " ");
    alike = alike && (first.empty() || first == has);
    if (first.empty()) first = has;
    text += (text.empty() ? "" : ", ") + machine + ": " + has;
  }
  return guests.empty() ? "not known" : alike ? first : text;
}

// Debian's, else the first distribution's that has some.
std::string packages_text(const json& language) {
  const auto& packages = language.at("packages");
  if (packages.contains("debian")) return joined(packages["debian"]);
  for (const auto& distribution : service::distributions()) {
    if (packages.contains(distribution)) return distribution + ": " + joined(packages[distribution]);
  }
  return "-";
}

// The plug-in, or the file that describes the language without its directory.
std::string source_text(const json& language) {
  std::string origin = text_of(language, "origin");
  if (origin.empty()) return "plug-in " + text_of(language, "plugin");
  const std::string file = origin.substr(0, origin.find(", "));
  return file.substr(file.rfind('/') + 1) + (origin.size() > file.size() ? " (instead of another)" : "");
}

[[noreturn]] void fail_unknown(const std::string& name) {
  throw UsageError("there is no language '" + name + "'; `pbotvm languages` lists those that there are");
}

json only_named(const json& languages, const Words& names) {
  json chosen = json::array();
  for (const auto& name : names) {
    const auto found = std::ranges::find_if(languages, [&](const auto& one) { return is_called(one, name); });
    if (found == languages.end()) fail_unknown(name);
    chosen.push_back(*found);
  }
  return chosen;
}

int print_packages(const json& languages, const Wanted& wanted) {
  Words names;
  std::string_view rest = wanted.names.front();
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(','), rest.size());
    if (comma > 0) names.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  std::set<std::string> packages;
  for (const auto& one : names == Words{"all"} ? languages : only_named(languages, names)) {
    const auto& known = one.at("packages");
    if (known.contains(*wanted.distribution)) {
      for (const auto& package : known[*wanted.distribution]) packages.insert(package.get<std::string>());
    } else {
      const std::string note = text_of(one, "note");
      std::cerr << "pbotvm: " << *wanted.distribution << " has no package for " << text_of(one, "name")
                << (note.empty() ? "" : ": " + note) << '\n';
    }
  }
  for (const auto& package : packages) std::cout << package << '\n';
  return 0;
}

void print(const json& answer, const Wanted& wanted) {
  if (wanted.as_json) {
    std::cout << answer.dump(2) << '\n';
  } else if (wanted.names.empty()) {
    std::cout << languages_table(answer.at("languages"));
  } else {
    std::string separator;
    for (const auto& one : answer.at("languages")) {
      std::cout << separator << language_page(one);
      separator = "\n";
    }
  }
}

}  // namespace

std::string languages_table(const json& languages) {
  std::vector<std::vector<std::string>> rows = {{"LANGUAGE", "IN GUEST", "DEBIAN PACKAGES", "FROM"}};
  for (const auto& one : languages) {
    const std::string aliases = joined(one.at("aliases"));
    rows.push_back({cut(text_of(one, "name"), name_width), cut(guests_text(one), guest_width),
                    cut(packages_text(one), packages_width), source_text(one)});
    if (!aliases.empty()) rows.back().back() += "; also " + aliases;
  }
  for (auto& row : rows) row.back() = cut(row.back(), most_columns - name_width - guest_width - packages_width - 6);
  return table_text(rows);
}

std::string language_page(const json& language) {
  std::string text = text_of(language, "name") + "\n";
  const auto line = [&text](const std::string& what, const std::string& value) {
    if (!value.empty()) text += "  " + what + std::string(what.size() < 10 ? 10 - what.size() : 1, ' ') + value + '\n';
  };
  line("also", joined(language.at("aliases")));
  const std::string origin = text_of(language, "origin");
  line("from", origin.empty() ? "plug-in language-" + text_of(language, "plugin") + ".so" : origin);
  line("file", text_of(language, "file"));
  line("options", joined(language.at("options"), " "));
  line("tools", joined(language.at("tools")));
  line("guest", guests_text(language));
  for (const auto& distribution : service::distributions()) {
    const auto& packages = language.at("packages");
    if (packages.contains(distribution)) line(distribution, joined(packages[distribution]));
  }
  line("note", text_of(language, "note"));
  return text;
}

int run_languages(const Invocation& invocation) {
  const Wanted wanted = wanted_of(invocation.words);
  const auto configuration = load_configuration(invocation.file);
  json answer;
  std::string not_asked;
  if (!wanted.distribution) {
    json command = {{"command", "languages"}};
    if (wanted.machine) command["machine"] = *wanted.machine;
    try {
      answer = ask_host(configuration.state, command, host_patience);
    } catch (const Error& e) {
      const bool unreachable = e.code() == ErrorCode::unavailable || e.code() == ErrorCode::refused;
      if (!unreachable || wanted.machine) throw;
      not_asked = error_line(e.what());
    }
  }
  const bool host_asked = !answer.is_null();
  if (host_asked && !answer.value("ok", false)) {
    std::cerr << "pbotvm: " << refusal_of(answer) << '\n';
    return not_served;
  }
  const plugin::Registry plugins(host_asked ? std::vector<std::filesystem::path>{} : configuration.plugins);
  if (!host_asked)
    answer = {{"ok", true},
              {"languages", service::language_list(*service::make_catalogue(plugins, configuration), {})}};
  if (wanted.distribution) return print_packages(answer.at("languages"), wanted);
  if (!wanted.names.empty()) answer["languages"] = only_named(answer.at("languages"), wanted.names);
  print(answer, wanted);
  if (!host_asked) std::cerr << "pbotvm: what guests have is not known: " << not_asked << '\n';
  return 0;
}

}  // namespace pbotvm::cli

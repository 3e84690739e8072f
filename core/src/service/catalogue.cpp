// SPDX-License-Identifier: MIT
#include "service/catalogue.h"

#include <set>
#include <utility>

#include "pbotvm/error.h"
#include "pbotvm/language_options.h"
#include "pbotvm/settings.h"
#include "pbotvm/tool_options.h"
#include "plugin/guard.h"
#include "service/plan_check.h"
#include "service/shown_name.h"

namespace pbotvm::service {

namespace {

// As a sentence names them, in the order in which they are looked through.
const std::vector<std::pair<std::string, std::string>> distribution_names = {
    {"debian", "Debian"}, {"fedora", "Fedora"}, {"opensuse", "openSUSE"}};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// The file that a language was read from, without what it says of others; empty for code.
std::string file_of(const CatalogueEntry& entry) {
  return entry.details.origin.substr(0, entry.details.origin.find(", instead of "));
}

void ask_for_options(Language& language, LanguageDetails& details) {
  const auto* options = static_cast<const LanguageOptions*>(language.extension(LanguageOptions::identifier));
  if (options == nullptr) return;
  details.takes_options = options->takes_options();
  details.option_rules = options->option_rules();
  if (details.option_rules.size() > max_option_rules) return;  // flaw_of_details() refuses them
  const ToolOptions rules(details.option_rules);
  const auto with_value = rules.with_value();
  const std::set<std::string> each_once(with_value.begin(), with_value.end());
  details.options_with_value.assign(each_once.begin(), each_once.end());
}

LanguageDetails details_of(Language& language) {
  LanguageDetails details;
  ask_for_options(language, details);
  const auto* facts = static_cast<const LanguageFacts*>(language.extension(LanguageFacts::identifier));
  if (facts == nullptr) return details;
  details.file = facts->file();
  details.options = facts->default_options();
  details.marks = facts->comment_marks();
  for (const auto& distribution : distributions()) {
    if (auto packages = facts->packages(distribution); !packages.empty())
      details.packages.emplace(distribution, std::move(packages));
  }
  details.stdin_program = facts->stdin_program();
  details.note = facts->note();
  details.origin = facts->origin();
  return details;
}

// A file is the operator's to mend, with its place.
[[noreturn]] void refuse_second(const std::string& name, const CatalogueEntry& first, const CatalogueEntry& second) {
  const auto& written = file_of(second).empty() ? first : second;
  const auto& other = &written == &first ? second : first;
  if (!file_of(written).empty())
    throw ConfigurationError(file_of(written), "the name '" + name +
                                                   "' is that of a language of the plug-in language-" + other.plugin +
                                                   ".so; take another one");
  throw Error(ErrorCode::plugin,
              "language '" + name + "' is brought by two plug-ins, " + first.plugin + " and " + second.plugin,
              "remove one of them, or rename the language");
}

}  // namespace

const std::vector<std::string>& distributions() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& [key, name] : distribution_names) all.push_back(key);
    return all;
  }();
  return names;
}

void learn(CatalogueEntry& entry) {
  if (!entry.names.empty()) return;
  const plugin::Call create{"language", entry.plugin, "create"};
  if (!entry.language) throw Error(ErrorCode::plugin, create.text() + ": one of its languages is null");
  auto names = plugin::guarded({"language", entry.plugin, "aliases"}, [&] { return entry.language->aliases(); });
  names.insert(names.begin(),
               plugin::guarded({"language", entry.plugin, "name"}, [&] { return entry.language->name(); }));
  entry.tools = plugin::guarded({"language", entry.plugin, "tools"}, [&] { return entry.language->tools(); });
  if (const auto flaw = flaw_of_language(names, entry.tools); !flaw.empty())
    throw Error(ErrorCode::plugin, create.text() + ": " + flaw);
  entry.details = plugin::guarded({"language", entry.plugin, "facts"}, [&] { return details_of(*entry.language); });
  const auto flaw = flaw_of_details(entry.details);
  if (!flaw.empty() && !file_of(entry).empty()) throw ConfigurationError(file_of(entry), flaw);
  if (!flaw.empty())
    throw Error(ErrorCode::plugin, "plug-in language/" + entry.plugin + ", facts of '" + names.front() + "': " + flaw);
  entry.names = std::move(names);
}

Catalogue::Catalogue(std::vector<CatalogueEntry> languages) : languages_(std::move(languages)) {
  for (auto& entry : languages_) {
    learn(entry);
    for (const auto& name : entry.names) {
      const auto [found, added] = by_name_.emplace(name, &entry);
      if (!added) refuse_second(name, *found->second, entry);
    }
  }
}

const CatalogueEntry* Catalogue::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

std::vector<std::string> Catalogue::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : by_name_) names.push_back(name);
  return names;
}

std::vector<std::string> Catalogue::tools() const {
  std::set<std::string> tools;
  for (const auto& entry : languages_) {
    tools.insert(entry.tools.begin(), entry.tools.end());
  }
  return {tools.begin(), tools.end()};
}

std::string Catalogue::unknown_language_text(const std::string& name) const {
  std::string text = "Language " + in_quotes(name) + " is not supported.\nSupported languages are: ";
  std::string separator;
  for (const auto& [known, entry] : by_name_) {
    if (known != entry->names.front()) continue;  // aliases would make it twice as long
    text += separator + known;
    separator = ", ";
  }
  return text;
}

std::string Catalogue::missing_tools_text(const CatalogueEntry& entry, const std::string& name,
                                          const std::vector<std::string>& missing, const std::string& machine) {
  std::string text =
      "Language '" + name + "' needs " + joined(missing) + ", which virtual machine '" + machine + "' does not have";
  const auto& details = entry.details;
  for (const auto& [key, distribution] : distribution_names) {
    const auto found = details.packages.find(key);
    if (found == details.packages.end()) continue;
    const bool one = found->second.size() == 1;
    text += std::string("; ") + (one ? "package " : "packages ") + joined(found->second) + " of " + distribution +
            (one ? " brings" : " bring") + (missing.size() == 1 ? " it" : " them");
    return text + (key == "debian" || details.note.empty() ? "." : ". " + details.note);
  }
  return text + (details.note.empty() ? "; which package brings it is not known." : ". " + details.note);
}

}  // namespace pbotvm::service

// SPDX-License-Identifier: MIT
#include "service/catalogue.h"

#include <set>
#include <utility>

#include "pbotvm/error.h"
#include "plugin/guard.h"
#include "service/shown_name.h"

namespace pbotvm::service {

Catalogue::Catalogue(std::vector<CatalogueEntry> languages) : languages_(std::move(languages)) {
  for (auto& entry : languages_) {
    entry.names = plugin::guarded({"language", entry.plugin, "aliases"}, [&] { return entry.language->aliases(); });
    entry.names.insert(entry.names.begin(),
                       plugin::guarded({"language", entry.plugin, "name"}, [&] { return entry.language->name(); }));
    entry.tools = plugin::guarded({"language", entry.plugin, "tools"}, [&] { return entry.language->tools(); });
    for (const auto& name : entry.names) {
      const auto [found, added] = by_name_.emplace(name, &entry);
      if (!added) {
        throw Error(
            ErrorCode::plugin,
            "language '" + name + "' is brought by two plug-ins, " + found->second->plugin + " and " + entry.plugin,
            "remove one of them, or rename the language");
      }
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
  for (const auto& known : names()) {
    text += separator + known;
    separator = ", ";
  }
  return text;
}

}  // namespace pbotvm::service

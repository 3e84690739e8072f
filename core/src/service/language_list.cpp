// SPDX-License-Identifier: MIT
#include "service/language_list.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace pbotvm::service {

using nlohmann::json;

namespace {

// "missing" is null where the guest has not told of all that the language needs.
json guests_of(const CatalogueEntry& entry, const std::vector<const machine::Machine*>& machines) {
  json guests = json::object();
  for (const auto* machine : machines) {
    const auto missing = machine->missing_tools_for_sure(entry.tools);
    guests[machine->name()] = missing ? json(*missing) : json(nullptr);
  }
  return guests;
}

}  // namespace

json language_list(const Catalogue& catalogue, const std::vector<const machine::Machine*>& machines) {
  std::vector<const CatalogueEntry*> entries;
  for (const auto& entry : catalogue.entries()) entries.push_back(&entry);
  std::sort(entries.begin(), entries.end(),
            [](const auto* a, const auto* b) { return a->names.front() < b->names.front(); });
  json list = json::array();
  for (const auto* entry : entries) {
    const auto& details = entry->details;
    list.push_back({{"name", entry->names.front()},
                    {"aliases", std::vector<std::string>(entry->names.begin() + 1, entry->names.end())},
                    {"plugin", entry->plugin},
                    {"origin", details.origin},
                    {"file", details.file},
                    {"options", details.options},
                    {"tools", entry->tools},
                    {"packages", details.packages},
                    {"note", details.note},
                    {"missing", guests_of(*entry, machines)}});
  }
  return list;
}

}  // namespace pbotvm::service

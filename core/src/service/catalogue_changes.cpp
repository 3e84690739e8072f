// SPDX-License-Identifier: MIT
#include "service/catalogue_changes.h"

#include <Poco/DigestEngine.h>
#include <Poco/SHA2Engine.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "protocol/messages.h"

namespace pbotvm::service {

namespace {

// In what the plug-in `definitions` tells of the origin of a language whose file hides an earlier directory's:
// "/etc/pbotvm/languages/ruby.yaml, instead of /usr/share/pbotvm/languages/ruby.yaml".
constexpr std::string_view instead_of = ", instead of ";

// No language knows it: the refusal names the options that are known.
constexpr const char* unknown_option = "-no-such-option-of-any-language";

// What can be seen of a language from outside, but for what its surroundings decide. Its own programs are planned, code
// that is no program (it shows what is put around such code), and a request with an option that is refused.
std::string conduct(const CatalogueEntry& entry, plugin::PatientGuard& guard) {
  std::string text = entry.plugin;
  const auto add = [&text](const std::string& part) { text += '\0' + part; };
  const auto add_all = [&](const std::vector<std::string>& parts) {
    add(std::to_string(parts.size()));
    for (const auto& part : parts) add(part);
  };
  const auto& details = entry.details;
  add(entry.names.front());
  add_all(entry.tools);
  add_all(details.options);
  add(details.takes_options ? "options" : "no options");
  add_all(details.option_rules);
  for (const auto& [distribution, packages] : details.packages) {
    add(distribution);
    add_all(packages);
  }
  add_all({details.file, details.marks.begin, details.marks.end, details.note});
  add(details.stdin_program);
  const auto hello =
      guard.call({"language", entry.plugin, "hello"}, [language = entry.language] { return language->hello(); });
  for (const auto& code : {hello, details.stdin_program, std::string("1"), unknown_option + (" " + hello)}) {
    Request request;
    request.language = entry.names.front();
    request.code = code;
    const auto plan = guard.call({"language", entry.plugin, "plan"},
                                 [language = entry.language, request] { return language->plan(request); });
    if (const auto* job = std::get_if<Job>(&plan)) {
      add(protocol::encode(*job));  // which has the sizes of files alone
      for (const auto& file : job->files) add(file.content);
    }
    if (const auto* reply = std::get_if<ImmediateReply>(&plan)) add(reply->text);
  }
  return text;
}

std::string appearance(const CatalogueEntry& entry, plugin::PatientGuard& guard) {
  std::string text = conduct(entry, guard) + '\0' + entry.details.origin;
  for (const auto& name : entry.names) text += '\0' + name;
  return text;
}

bool same(const CatalogueEntry& before, const CatalogueEntry& after, plugin::PatientGuard& guard) {
  if (before.language == after.language) return true;  // kept, as its plug-in must not be called now
  try {
    return appearance(before, guard) == appearance(after, guard);
  } catch (const std::exception&) {
    return false;
  }
}

std::map<std::string, const CatalogueEntry*> by_name(const Catalogue& catalogue) {
  std::map<std::string, const CatalogueEntry*> entries;
  for (const auto& entry : catalogue.entries()) entries.emplace(entry.names.front(), &entry);
  return entries;
}

}  // namespace

std::string CatalogueChanges::text() const {
  std::string text;
  for (const auto& [what, names] : {std::pair{"added", &added}, {"removed", &removed}, {"changed", &changed}}) {
    if (names->empty()) continue;
    text += std::string(text.empty() ? "" : "; ") + what;
    for (const auto& name : *names) text += (&name == &names->front() ? " " : ", ") + name;
  }
  return text.empty() ? "no change is seen" : text;
}

std::string digest_of(const CatalogueEntry& entry, plugin::PatientGuard& guard) {
  Poco::SHA2Engine engine;
  engine.update(conduct(entry, guard));
  return Poco::DigestEngine::digestToHex(engine.digest());
}

CatalogueChanges changes_between(const Catalogue& before, const Catalogue& after, plugin::PatientGuard& guard) {
  const auto old_ones = by_name(before), new_ones = by_name(after);
  CatalogueChanges changes;
  for (const auto& [name, entry] : old_ones) {
    if (!new_ones.contains(name)) changes.removed.push_back(name);
  }
  for (const auto& [name, entry] : new_ones) {
    const auto old = old_ones.find(name);
    if (old == old_ones.end()) {
      changes.added.push_back(name);
    } else if (!same(*old->second, *entry, guard)) {
      changes.changed.push_back(name);
    }
  }
  return changes;
}

std::vector<std::string> overrides_in(const Catalogue& catalogue, const CatalogueChanges* only) {
  const auto is_in = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  std::vector<std::string> lines;
  for (const auto& entry : catalogue.entries()) {
    const auto& name = entry.names.front();
    if (entry.details.origin.find(instead_of) == std::string::npos) continue;
    if (only != nullptr && !is_in(only->added, name) && !is_in(only->changed, name)) continue;
    lines.push_back("language " + name + ": " + entry.details.origin);
  }
  return lines;
}

}  // namespace pbotvm::service

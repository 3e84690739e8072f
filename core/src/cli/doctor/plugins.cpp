// SPDX-License-Identifier: MIT

// Plug-ins: those there are, and those that the configuration names.

#include <algorithm>
#include <set>

#include "cli/doctor/check.h"
#include "pbotvm/error.h"
#include "plugin/registry.h"

namespace pbotvm::cli::doctor {

namespace {

using State = Finding::State;

// Kind and name of every plug-in that some machine cannot do without.
std::set<std::pair<std::string, std::string>> named(const config::Configuration& configuration) {
  std::set<std::pair<std::string, std::string>> names;
  for (const auto& machine : configuration.machines) {
    names.emplace("hypervisor", machine.hypervisor.plugin);
    if (machine.settings.heart.kind != Endpoint::Kind::none) names.emplace("transport", machine.heartbeat.plugin);
    if (!machine.transports_named) continue;
    for (const auto& choice : machine.transports) names.emplace("transport", choice.plugin);
  }
  return names;
}

std::string directories(const config::Configuration& configuration) {
  std::string text;
  for (const auto& path : configuration.plugins) text += (text.empty() ? "" : ":") + path.string();
  return text;
}

}  // namespace

Findings check_plugins(const config::Configuration& configuration) {
  Findings findings;
  try {
    const plugin::Registry registry(configuration.plugins);
    std::size_t loaded = 0;
    auto missing = named(configuration);
    for (const auto& entry : registry.list()) {
      if (entry.state == plugin::Entry::State::loaded) {
        ++loaded;
        missing.erase({entry.kind, entry.name});
      } else {
        findings.push_back({State::warn, "plug-in " + entry.path.string(), "refused: " + entry.reason,
                            "build it against this version, or remove it"});
      }
    }
    for (const auto& [kind, name] : missing)
      findings.push_back({State::fail, "plug-in " + kind + " " + name, "a machine names it, and it is not there",
                          "pbotvm-host --list-plugins shows those there are; PBOTVM_PLUGINS names their directories"});
    const std::string found = std::to_string(loaded) + " in " + directories(configuration);
    findings.insert(findings.begin(), {loaded > 0 ? State::ok : State::fail, "plug-ins", found,
                                       loaded > 0 ? "" : "name their directory with PBOTVM_PLUGINS"});
  } catch (const Error& e) {
    findings.push_back({State::fail, "plug-ins", e.what(), "name their directory with PBOTVM_PLUGINS"});
  }
  return findings;
}

}  // namespace pbotvm::cli::doctor

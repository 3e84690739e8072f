// SPDX-License-Identifier: MIT
#include "host/configuration_check.h"

#include <filesystem>

#include "host/privileges.h"
#include "pbotvm/settings_check.h"
#include "plugin/guard.h"
#include "plugin/registry.h"
#include "service/assembly.h"

namespace pbotvm::host {

namespace {

using service::look_up;
using service::why_passed_over;

/// One machine after the other, as a start makes them.
class Checker {
 public:
  explicit Checker(const plugin::Registry& plugins) : plugins_(plugins) {}

  void check(const config::MachineConfiguration& machine) {
    const bool uses_vsock = check_transports(machine);
    if (machine.settings.heart.kind != Endpoint::Kind::none) {
      ask(machine.settings, "heartbeat", "transport", machine.heartbeat,
          [&]() -> TransportFactory& { return plugins_.transport(machine.heartbeat.plugin); });
    }
    ask(settings_for_hypervisor(machine, uses_vsock), "hypervisor", "hypervisor", machine.hypervisor,
        [&]() -> HypervisorFactory& { return plugins_.hypervisor(machine.hypervisor.plugin); });
  }

  std::vector<std::string> take_unknown() { return std::move(unknown_); }

 private:
  // Whether vsock is among those that a start would use.
  bool check_transports(const config::MachineConfiguration& machine) {
    bool any = false, vsock = false;
    for (const auto& choice : machine.transports) {
      if (!why_passed_over(choice.plugin, machine).empty()) continue;
      try {
        ask(machine.settings, "transports", "transport", choice,
            [&]() -> TransportFactory& { return plugins_.transport(choice.plugin); });
      } catch (const Error&) {
        if (machine.transports_named) throw;
        continue;
      }
      any = true;
      vsock = vsock || choice.plugin == "vsock";
    }
    if (!any) service::fail_without_transport(machine.settings.name);
    return vsock;
  }

  template <typename FindFactory>
  void ask(const MachineSettings& machine, const char* key, const char* kind, const config::PluginChoice& choice,
           FindFactory find) {
    auto& factory = look_up(machine.name, key, find);
    const std::string where = "machines." + machine.name + "." + key + ": ";
    auto* check = dynamic_cast<SettingsCheck*>(&factory);
    if (check == nullptr) {
      unknown_.push_back(where + kind + " " + choice.plugin + " looks at its settings at a start only");
      return;
    }
    const auto unknown =
        plugin::guarded({kind, choice.plugin, "check"}, [&] { return check->check(machine, choice.settings); });
    for (const auto& line : unknown) unknown_.push_back(where + line);
  }

  const plugin::Registry& plugins_;
  std::vector<std::string> unknown_;
};

// A start makes what is missing of the path.
void check_state(const std::filesystem::path& state) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path there = state;
  while (!fs::exists(there, error) && there.has_relative_path()) there = there.parent_path();
  if (!error && !fs::is_directory(there, error)) {
    throw ConfigurationError("host.state", "found " + state.string() + ", but " + there.string() +
                                               " is no directory; choose another place, also with PBOTVM_STATE");
  }
}

}  // namespace

std::vector<std::string> check_configuration(const config::Configuration& configuration) {
  daemon_user(configuration.user);
  check_state(configuration.state);
  const plugin::Registry plugins(configuration.plugins);
  check_language(*service::make_catalogue(plugins, configuration), configuration);
  Checker checker(plugins);
  for (const auto& machine : configuration.machines) checker.check(machine);
  return checker.take_unknown();
}

MachineSettings settings_for_hypervisor(const config::MachineConfiguration& machine, bool uses_vsock) {
  auto settings = machine.settings;
  if (!uses_vsock) settings.cid = 0;
  return settings;
}

void check_language(const service::Catalogue& catalogue, const config::Configuration& configuration) {
  if (catalogue.find(configuration.language) == nullptr) {
    throw ConfigurationError("host.language", catalogue.unknown_language_text(configuration.language));
  }
}

}  // namespace pbotvm::host

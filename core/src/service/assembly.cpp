// SPDX-License-Identifier: MIT
#include "service/assembly.h"

#include <Poco/Logger.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iterator>

#include "plugin/guard.h"

namespace pbotvm::service {

namespace {

Poco::Logger& log() {
  return Poco::Logger::get("host");
}

// What VM sockets need of the kernel's, except to reach a guest program on this very system (VMADDR_CID_LOCAL).
constexpr const char* vhost_device = "/dev/vhost-vsock";
constexpr std::uint32_t local_cid = 1;

std::vector<CatalogueEntry> languages_of(const plugin::Registry::LanguagePlugin& language_plugin,
                                         const LanguageContext& context, plugin::PatientGuard& guard) {
  return guard.call({"language", language_plugin.name, "create"},
                    [name = language_plugin.name, &factory = language_plugin.factory, context] {
                      std::vector<CatalogueEntry> entries;
                      for (auto& language : factory.create(context))
                        learn(entries.emplace_back(CatalogueEntry{name, std::move(language)}));
                      return entries;
                    });
}

}  // namespace

std::string why_passed_over(const std::string& name, const config::MachineConfiguration& machine) {
  if (name != "vsock" || machine.transports.size() == 1) return {};
  if (machine.settings.cid == 0) return "its cid is 0";
  if (machine.settings.cid == local_cid || std::filesystem::exists(vhost_device)) return {};
  return "there is no " + std::string(vhost_device) + " (kernel module vhost_vsock)";
}

std::vector<machine::NamedTransport> make_transports(const plugin::Registry& plugins,
                                                     const config::MachineConfiguration& configuration) {
  std::vector<machine::NamedTransport> transports;
  const auto& settings = configuration.settings;
  for (const auto& choice : configuration.transports) {
    if (const auto why = why_passed_over(choice.plugin, configuration); !why.empty()) {
      log().information("%s: transport %s is passed over: %s", settings.name, choice.plugin, why);
      continue;
    }
    try {
      auto& factory =
          look_up(settings.name, "transports", [&]() -> TransportFactory& { return plugins.transport(choice.plugin); });
      transports.push_back({choice.plugin, plugin::guarded({"transport", choice.plugin, "create"},
                                                           [&] { return factory.create(settings, choice.settings); })});
    } catch (const Error& e) {
      // The built-in list is a wish; what the operator wrote is an order.
      if (configuration.transports_named) throw;
      log().information("%s: transport %s is passed over: %s", settings.name, choice.plugin, std::string(e.what()));
    }
  }
  if (transports.empty()) fail_without_transport(settings.name);
  return transports;
}

void fail_without_transport(const std::string& machine) {
  throw Error(ErrorCode::configuration, "machine '" + machine + "': none of its transports can be had here",
              "name others in machines." + machine + ".transports");
}

std::shared_ptr<const Catalogue> make_catalogue(const plugin::Registry& plugins,
                                                const config::Configuration& configuration) {
  plugin::PatientGuard guard(start_patience);
  return make_catalogue(plugins, configuration, guard);
}

std::shared_ptr<const Catalogue> make_catalogue(const plugin::Registry& plugins,
                                                const config::Configuration& configuration,
                                                plugin::PatientGuard& guard) {
  std::vector<CatalogueEntry> entries;
  const LanguageContext context{configuration.languages};
  for (const auto& language_plugin : plugins.languages()) {
    try {
      std::ranges::move(languages_of(language_plugin, context, guard), std::back_inserter(entries));
    } catch (const ConfigurationError&) {
      throw;  // a definition that the operator wrote
    } catch (const Error& e) {
      log().error("passed over: %s", std::string(e.what()));
    }
  }
  return std::make_shared<const Catalogue>(std::move(entries));
}

std::shared_ptr<const Catalogue> remake_catalogue(const plugin::Registry& plugins,
                                                  const config::Configuration& configuration,
                                                  plugin::PatientGuard& guard, const Catalogue& now,
                                                  const std::set<std::string>& kept) {
  std::vector<CatalogueEntry> entries;
  const LanguageContext context{configuration.languages};
  for (const auto& language_plugin : plugins.languages()) {
    if (kept.contains(language_plugin.name)) {
      std::ranges::copy_if(now.entries(), std::back_inserter(entries),
                           [&](const auto& entry) { return entry.plugin == language_plugin.name; });
      continue;
    }
    std::ranges::move(languages_of(language_plugin, context, guard), std::back_inserter(entries));
  }
  return std::make_shared<const Catalogue>(std::move(entries));
}

}  // namespace pbotvm::service

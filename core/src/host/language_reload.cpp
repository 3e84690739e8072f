// SPDX-License-Identifier: MIT
#include "host/language_reload.h"

#include <Poco/Logger.h>

#include <exception>
#include <string>
#include <utility>

#include "config/error_line.h"
#include "host/configuration_check.h"
#include "service/assembly.h"
#include "service/catalogue_changes.h"

namespace pbotvm::host {

namespace {

Poco::Logger& log() {
  return Poco::Logger::get("host");
}

}  // namespace

LanguageReload::LanguageReload(const plugin::Registry& plugins, const config::Configuration& configuration,
                               service::Service& service)
    : plugins_(plugins), configuration_(configuration), service_(service) {}

void LanguageReload::run() noexcept {
  try {
    reload();
  } catch (const std::exception& e) {
    log().error("the languages stay as they are, as they could not be read anew: %s", error_line(e.what()));
  }
}

void LanguageReload::reload() {
  log().information("SIGHUP: the languages are read anew");
  auto catalogue = service::remake_catalogue(plugins_, configuration_, guard_);
  check_language(*catalogue, configuration_);
  const auto changes = service::changes_between(*service_.catalogue(), *catalogue, guard_);
  const auto overrides = service::overrides_in(*catalogue, &changes);
  const std::size_t names = catalogue->names().size();
  service_.use(std::move(catalogue));
  for (const auto& line : overrides) log().information(line);
  log().information("the languages were read anew: %s; %z names are served", changes.text(), names);
}

}  // namespace pbotvm::host

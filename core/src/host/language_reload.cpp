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
                               service::Service& service, plugin::PatientGuard& guard,
                               std::shared_ptr<plugin::PatientGuard> guard_of_start)
    : plugins_(plugins),
      configuration_(configuration),
      service_(service),
      guard_of_requests_(guard),
      guard_(std::move(guard_of_start)) {}

LanguageReload::~LanguageReload() {
  const std::lock_guard lock(mutex_);
  ending_ = true;
  again_ = false;
}

void LanguageReload::ask() noexcept {
  try {
    std::unique_lock lock(mutex_);
    if (ending_) return;
    if (running_) {
      again_ = true;
      return;
    }
    std::jthread earlier = std::exchange(thread_, {});  // has nothing left to do
    running_ = true;
    try {
      thread_ = std::jthread([this] { work(); });
    } catch (...) {
      running_ = false;
      throw;
    }
    lock.unlock();  // joined without the mutex
  } catch (const std::exception& e) {
    log().error("the languages stay as they are: no thread can be had to read them anew: %s", error_line(e.what()));
  }
}

bool LanguageReload::end(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  ending_ = true;
  again_ = false;
  return idle_.wait_for(lock, patience, [this] { return !running_; });
}

bool LanguageReload::ending() const {
  const std::lock_guard lock(mutex_);
  return ending_;
}

void LanguageReload::work() {
  for (;;) {
    run();
    const std::lock_guard lock(mutex_);
    if (std::exchange(again_, false)) continue;
    running_ = false;
    idle_.notify_all();
    return;
  }
}

void LanguageReload::run() noexcept {
  try {
    reload();
  } catch (const std::exception& e) {
    log().error("the languages stay as they are, as they could not be read anew: %s", error_line(e.what()));
  }
}

void LanguageReload::resume_plugins() {
  for (const auto& one : guard_of_requests_.resume())
    log().information("plug-in %s-%s.so is taken up again: the call that it was suspended for came back", one.kind,
                      one.plugin);
  for (const auto& one : guard_of_requests_.suspensions())
    log().warning("plug-in %s-%s.so stays suspended: %z of its calls did not come back; restart the host", one.kind,
                  one.plugin, one.calls_out);
}

std::vector<plugin::Suspension> LanguageReload::suspensions() const {
  std::unique_lock lock(mutex_);
  const auto guard = guard_;
  lock.unlock();
  return guard->suspensions();
}

std::shared_ptr<plugin::PatientGuard> LanguageReload::guard_for_reading() {
  const std::lock_guard lock(mutex_);
  if (guard_->left_behind() == 0) guard_ = std::make_shared<plugin::PatientGuard>(service::start_patience);
  return guard_;
}

// Plug-ins that would be called beside a call of theirs that is still out.
std::set<std::string> LanguageReload::hanging(const plugin::PatientGuard& guard) const {
  std::set<std::string> names;
  for (const auto& suspensions : {guard_of_requests_.suspensions(), guard.suspensions()})
    for (const auto& one : suspensions)
      if (one.kind == "language") names.insert(one.plugin);
  for (const auto& name : names)
    log().warning("the languages of plug-in language-%s.so stay as they are: a call did not come back", name);
  return names;
}

void LanguageReload::reload() {
  log().information("SIGHUP: the languages are read anew");
  resume_plugins();
  const auto guard = guard_for_reading();
  const auto now = service_.catalogue();
  auto catalogue = service::remake_catalogue(plugins_, configuration_, *guard, *now, hanging(*guard));
  check_language(*catalogue, configuration_);
  const auto changes = service::changes_between(*now, *catalogue, *guard);
  const auto overrides = service::overrides_in(*catalogue, &changes);
  const std::size_t names = catalogue->names().size();
  if (ending()) return;
  service_.use(std::move(catalogue));
  for (const auto& line : overrides) log().information(line);
  log().information("the languages were read anew: %s; %z names are served", changes.text(), names);
}

}  // namespace pbotvm::host

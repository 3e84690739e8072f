// SPDX-License-Identifier: MIT
#include "service/warm_up.h"

#include <Poco/Logger.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <utility>

#include "pbotvm/error.h"
#include "service/job_limits.h"
#include "service/language_calls.h"
#include "service/plan_check.h"

namespace pbotvm::service {

namespace {

constexpr std::chrono::seconds warm_up_wall{60};  // the first run of a compiler reads it from the disk

Poco::Logger& log() {
  return Poco::Logger::get("service");
}

// None where the language answers without a job. Throws what is wrong with it.
std::optional<Job> warm_up_job(const config::Configuration& configuration, const CatalogueEntry& entry,
                               plugin::PatientGuard& guard) {
  Request request;
  request.language = entry.names.front();
  request.code =
      guard.call({"language", entry.plugin, "hello"}, [language = entry.language] { return language->hello(); });
  if (const auto flaw = flaw_of_hello(request.code); !flaw.empty()) throw Error(ErrorCode::plugin, flaw);
  auto plan = plan_of(guard, entry, request);
  auto* job = std::get_if<Job>(&plan);
  if (job == nullptr) return {};
  if (const auto flaw = flaw_of_plan(*job, request); !flaw.text.empty()) throw Error(ErrorCode::plugin, flaw.text);
  fill_limits(configuration, job->limits);
  job->limits.wall = warm_up_wall;
  job->limits.cpu = warm_up_wall;
  job->language = request.language;
  // What runs after a crash only, such as a debugger, is to be in the machine's memory just as well.
  for (Step& step : job->steps) step.when = step.when == When::after_crash ? When::always : step.when;
  return std::move(*job);
}

}  // namespace

std::vector<machine::WarmUp> warm_up_jobs(const config::Configuration& configuration, const Catalogue& catalogue,
                                          plugin::PatientGuard& guard) {
  const auto* usual = catalogue.find(configuration.language);
  std::vector<const CatalogueEntry*> entries;
  for (const auto& entry : catalogue.entries()) entries.push_back(&entry);
  std::stable_partition(entries.begin(), entries.end(), [&](const auto* entry) { return entry == usual; });
  std::set<std::set<std::string>> seen;
  std::vector<machine::WarmUp> jobs;
  for (const auto* entry : entries) {
    const std::string& name = entry->names.front();
    if (!seen.emplace(entry->tools.begin(), entry->tools.end()).second) continue;
    try {
      if (auto job = warm_up_job(configuration, *entry, guard)) jobs.push_back({std::move(*job), entry->tools});
    } catch (const std::exception& e) {
      log().warning("language %s: its hello program is passed over: %s", name, std::string(e.what()));
    }
  }
  const auto first = jobs.begin() + (usual != nullptr && !jobs.empty() ? 1 : 0);
  std::stable_sort(first, jobs.end(),
                   [](const auto& a, const auto& b) { return a.job.steps.size() < b.job.steps.size(); });
  return jobs;
}

}  // namespace pbotvm::service

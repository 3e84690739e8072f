// SPDX-License-Identifier: MIT
#include "service/language_calls.h"

#include <Poco/Logger.h>

#include <algorithm>
#include <utility>

#include "pbotvm/reply_text.h"
#include "service/plan_check.h"
#include "service/refusal.h"

namespace pbotvm::service {

namespace {

constexpr std::size_t most_of_a_failure = 1000;  // bytes of what a plug-in says of its own failure

Poco::Logger& log() {
  return Poco::Logger::get("service");
}

}  // namespace

Plan plan_of(plugin::PatientGuard& guard, const CatalogueEntry& entry, const Request& request) {
  return guard.call({"language", entry.plugin, "plan"},
                    [language = entry.language, request] { return language->plan(request); });
}

void refuse_for_language(const CatalogueEntry& entry, const std::string& name, std::string why) {
  why.resize(std::min(why.size(), most_of_a_failure));
  const std::string text =
      "Language '" + name + "' failed in its plug-in language-" + entry.plugin + ".so: " + printable(why);
  log().error(text);
  refuse("language-failed", text);
}

void check_reply(const CatalogueEntry& entry, const std::string& name, std::string_view reply, std::uint64_t limit) {
  if (const auto flaw = flaw_of_reply(reply, limit); !flaw.empty()) refuse_for_language(entry, name, flaw);
}

void check_plan(const CatalogueEntry& entry, const Request& request, const Job& job) {
  const auto flaw = flaw_of_plan(job, request);
  if (flaw.text.empty()) return;
  if (!flaw.of_request) refuse_for_language(entry, request.language, flaw.text);
  log().warning("language=%s refused: %s", request.language, flaw.text);
  refuse("bad-request", "Invalid request: " + printable(flaw.text) + "; send shorter or fewer arguments, without NUL.");
}

}  // namespace pbotvm::service

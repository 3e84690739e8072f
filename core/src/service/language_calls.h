// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

#include "pbotvm/language.h"
#include "plugin/patient_guard.h"
#include "service/catalogue.h"

// Calls of a request into its language: what a language's plug-in does wrong ends the request with the plug-in's name.
// All throw Refused, but for plan_of().

namespace pbotvm::service {

/// Throws Error{plugin}, as PatientGuard does.
Plan plan_of(plugin::PatientGuard& guard, const CatalogueEntry& entry, const Request& request);

/// `name`: of the language as the client has it.
[[noreturn]] void refuse_for_language(const CatalogueEntry& entry, const std::string& name, std::string why);

/// What `function` returns.
template <typename Function>
auto of_language(const CatalogueEntry& entry, const std::string& name, Function function) {
  try {
    return function();
  } catch (const std::exception& e) {
    const std::string why = e.what(), call = "language " + entry.plugin + ": ";  // which the text names in its own way
    refuse_for_language(entry, name, why.starts_with(call) ? why.substr(call.size()) : why);
  }
}

/// `limit`: of a job's output, bytes.
void check_reply(const CatalogueEntry& entry, const std::string& name, std::string_view reply, std::uint64_t limit);

void check_plan(const CatalogueEntry& entry, const Request& request, const Job& job);

}  // namespace pbotvm::service

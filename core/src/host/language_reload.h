// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

#include "config/configuration.h"
#include "plugin/patient_guard.h"
#include "plugin/registry.h"
#include "service/service.h"

namespace pbotvm::host {

/// Has the languages read anew while the service serves. One thread at a time.
class LanguageReload {
 public:
  /// Borrows them all; they outlive it.
  LanguageReload(const plugin::Registry& plugins, const config::Configuration& configuration,
                 service::Service& service);

  /// Gives the service a new catalogue, or logs why it keeps the one it has: what an operator wrote may be wrong. Never
  /// throws.
  void run() noexcept;

 private:
  void reload();

  const plugin::Registry& plugins_;
  const config::Configuration& configuration_;
  service::Service& service_;
  // Of its own, and more patient than that of requests: reading many files takes longer than planning one job, and a
  // plug-in that does not come back here still serves with the languages that it made before.
  plugin::PatientGuard guard_{std::chrono::seconds(20)};
};

}  // namespace pbotvm::host

// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/configuration.h"
#include "machine/machine.h"
#include "plugin/patient_guard.h"
#include "service/catalogue.h"
#include "service/client_request.h"

namespace pbotvm::service {

/// A request becomes a reply. Knows nothing of the front end that asked. Any thread; blocks until the reply is there.
class Service {
 public:
  /// Borrows them all; they outlive it.
  Service(const config::Configuration& configuration, const Catalogue& catalogue,
          const std::vector<std::unique_ptr<machine::Machine>>& machines, plugin::PatientGuard& guard);

  /// Never throws for what a client, a plug-in or a guest did: that is a reply. Without a line's end.
  std::string run(const ClientRequest& request);

  std::uint64_t requests() const { return requests_; }

  /// Null where there is none of that name. Upper and lower case are the same, as PBot's `-vm=` has it.
  machine::Machine* find_machine(const std::string& name) const;

  /// "Unknown machine 'X'; available machines are: ..."
  std::string unknown_machine_text(const std::string& name) const;

 private:
  std::string run_job(const CatalogueEntry& entry, const Request& request, Job job, machine::Machine& machine);

  const config::Configuration& configuration_;
  const Catalogue& catalogue_;
  const std::vector<std::unique_ptr<machine::Machine>>& machines_;
  plugin::PatientGuard& guard_;
  std::atomic<std::uint64_t> requests_{0};
};

/// Every language's hello program as a job, to be run once before a snapshot is taken. A plug-in that fails is logged
/// and passed over.
std::vector<Job> warm_up_jobs(const config::Configuration& configuration, const Catalogue& catalogue,
                              plugin::PatientGuard& guard);

/// A job's limits as the configuration has them, where the language named none or larger ones.
void fill_limits(const config::Configuration& configuration, Limits& limits);

}  // namespace pbotvm::service

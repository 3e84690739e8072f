// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/configuration.h"
#include "machine/machine.h"
#include "plugin/patient_guard.h"
#include "plugin/registry.h"
#include "service/catalogue.h"
#include "service/service.h"

namespace pbotvm::cli {

/// What a host does for one request, without a host: plug-ins, languages, and one machine as it is found, over its own
/// transports. The machine is left as it is: neither started nor reverted. From its making to its end, warnings of the
/// machine's thread go to standard error, each as one line, so that the operator sees at once why it takes long to find
/// the guest. One thread at a time.
class DirectService {
 public:
  /// Begins to look for the guest. `configuration` is a borrow that outlives this. Throws Error.
  DirectService(const config::Configuration& configuration, const config::MachineConfiguration& machine);
  ~DirectService();
  DirectService(const DirectService&) = delete;
  DirectService& operator=(const DirectService&) = delete;

  const service::Catalogue& catalogue() const { return *catalogue_; }

  /// The code of a language's hello program. Throws Error.
  std::string hello_of(const service::CatalogueEntry& entry);

  /// Comes back when the request has ended, however it did: `audience` is told.
  void run(const service::ClientRequest& request, service::Audience& audience);

 private:
  plugin::Registry plugins_;  // outlives what is made of its plug-ins
  plugin::PatientGuard guard_;
  std::shared_ptr<const service::Catalogue> catalogue_;
  std::vector<std::unique_ptr<machine::Machine>> machines_;
  service::Service service_;
};

/// What else there is to say, on standard error, of a machine whose guest does not answer.
void tell_who_starts(const config::MachineConfiguration& machine);

}  // namespace pbotvm::cli

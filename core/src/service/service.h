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
#include "service/events.h"
#include "service/persistent_files.h"
#include "service/request_control.h"

namespace pbotvm::service {

/// A request becomes a reply. Knows nothing of the front end that asked. Any thread; blocks until the reply is there.
class Service {
 public:
  /// Borrows them all; they outlive it.
  Service(const config::Configuration& configuration, const Catalogue& catalogue,
          const std::vector<std::unique_ptr<machine::Machine>>& machines, plugin::PatientGuard& guard);

  /// Tells `audience` what becomes of the request; Ended or Failed is the last that it hears, and always comes. What a
  /// client, a plug-in or a guest did is never an exception. `control` may be used by other threads meanwhile.
  void run(const ClientRequest& request, Audience& audience, RequestControl& control);

  /// The same for who wants no more than the text. Without a line's end.
  std::string run(const ClientRequest& request);

  std::uint64_t requests() const { return requests_; }

  /// Null where there is none of that name. Upper and lower case are the same, as PBot's `-vm=` has it.
  machine::Machine* find_machine(const std::string& name) const;

  /// "Unknown machine 'X'; available machines are: ..."
  std::string unknown_machine_text(const std::string& name) const;

 private:
  /// One request on its way.
  struct Run {
    const ClientRequest& client;
    Audience& audience;
    RequestControl& control;
    const CatalogueEntry& entry;
    machine::Machine& machine;
    Request request;
    std::unique_ptr<PersistentFiles::Lease> kept;  // of the persist-key, where this host keeps the files
  };

  Event answer(const ClientRequest& client, Audience& audience, RequestControl& control);
  Event run_job(Run& run, Job job);
  void prepare(Run& run, Job& job);
  void bring_kept_files(Run& run, Job& job);
  machine::Outcome execute(Run& run, Job job);
  Event finish(Run& run, Result result);
  std::string hand_out(Run& run, Result& result);
  std::string save_kept(Run& run, const Result& result, const std::vector<JobFile>& files);
  bool speaks_frames(const machine::Machine& machine) const;

  const config::Configuration& configuration_;
  const Catalogue& catalogue_;
  const std::vector<std::unique_ptr<machine::Machine>>& machines_;
  plugin::PatientGuard& guard_;
  PersistentFiles persistent_;
  std::atomic<std::uint64_t> requests_{0};
};

/// Every language's hello program as a job, to be run once before a snapshot is taken. A plug-in that fails is logged
/// and passed over.
std::vector<Job> warm_up_jobs(const config::Configuration& configuration, const Catalogue& catalogue,
                              plugin::PatientGuard& guard);

/// A job's limits as the configuration has them, where the language named none or larger ones.
void fill_limits(const config::Configuration& configuration, Limits& limits);

/// What a client that wants text reads: null for all events but a request's last one.
const std::string* reply_text_of(const Event& event);

}  // namespace pbotvm::service

// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "config/configuration.h"
#include "history/history.h"
#include "history/shown_outputs.h"
#include "machine/machine.h"
#include "paste/page.h"
#include "paste/store.h"
#include "plugin/patient_guard.h"
#include "service/catalogue.h"
#include "service/catalogue_changes.h"
#include "service/client_request.h"
#include "service/events.h"
#include "service/fortune.h"
#include "service/persistent_files.h"
#include "service/request_control.h"

namespace pbotvm::service {

/// What a service keeps beyond a request - pastes, files of persist-keys, the history: `nothing`, as for `pbotvm run`,
/// which runs wherever a person stands; or all of it `in_working_directory`, which is STATE in the host.
enum class Keeping { nothing, in_working_directory };

/// A request becomes a reply. Knows nothing of the front end that asked. Any thread; blocks until the reply is there.
class Service {
 public:
  /// Borrows all but the catalogue; they outlive it.
  Service(const config::Configuration& configuration, std::shared_ptr<const Catalogue> catalogue,
          const std::vector<std::unique_ptr<machine::Machine>>& machines, plugin::PatientGuard& guard, Keeping keeping);

  /// Tells `audience` what becomes of the request; Ended or Failed is the last that it hears, and always comes. What a
  /// client, a plug-in or a guest did is never an exception. `control` may be used by other threads meanwhile.
  void run(const ClientRequest& request, Audience& audience, RequestControl& control);

  /// The same for who wants no more than the text. Without a line's end.
  std::string run(const ClientRequest& request);

  std::uint64_t requests() const { return requests_; }

  /// Plug-ins that are called no more, because a call did not come back.
  std::vector<plugin::Suspension> suspensions() const { return guard_.suspensions(); }

  /// The languages that the next request finds. shared: a request keeps those that it began with.
  std::shared_ptr<const Catalogue> catalogue() const;

  /// As digest_of() of catalogue_changes.h. Throws Error{plugin}, also for a plug-in that is suspended.
  std::string digest(const CatalogueEntry& entry) { return digest_of(entry, guard_); }

  /// From now on requests find these languages; those under way end with the ones that they began with. Machines are
  /// asked after their tools.
  void use(std::shared_ptr<const Catalogue> catalogue);

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
    std::shared_ptr<const Catalogue> catalogue;  // of which `entry` is a part
    const CatalogueEntry& entry;
    machine::Machine& machine;
    Request request;
    std::unique_ptr<PersistentFiles::Lease> kept{};  // of the persist-key, where this host keeps the files
    std::optional<paste::Page> page{};               // to be kept with what comes of the job
  };

  Event answer(const ClientRequest& client, Audience& audience, RequestControl& control);
  std::optional<Event> edit_earlier_code(Run& run);
  Event run_job(Run& run, Job job);
  void prepare(Run& run, Job& job);
  static void add_client_files(const ClientRequest& client, const std::string& language, Job& job);
  void bring_kept_files(Run& run, Job& job);
  std::vector<JobFile> load_kept(const PersistentFiles::Lease& lease);
  void bring_input(const Run& run, Job& job);
  void begin_page(Run& run, const Job& job);
  std::string keep_page(Run& run, std::string reply);
  std::string shown_in_channel(const Run& run, std::string reply);
  machine::Outcome execute(Run& run, Job job);
  Event finish(Run& run, Result result);
  std::string hand_out(Run& run, Result& result);
  std::string save_kept(Run& run, const Result& result, const std::vector<JobFile>& files);
  bool speaks_frames(const machine::Machine& machine) const;

  const config::Configuration& configuration_;
  mutable std::mutex catalogue_mutex_;
  std::shared_ptr<const Catalogue> catalogue_;
  const std::vector<std::unique_ptr<machine::Machine>>& machines_;
  plugin::PatientGuard& guard_;
  PersistentFiles persistent_;
  std::optional<history::History> history_;
  history::ShownOutputs shown_outputs_;
  std::optional<paste::Store> pastes_;
  std::optional<Fortune> fortune_;
  std::atomic<std::uint64_t> requests_{0};
};

/// What a client that wants text reads: null for all events but a request's last one.
const std::string* reply_text_of(const Event& event);

}  // namespace pbotvm::service

// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "config/configuration.h"
#include "plugin/patient_guard.h"
#include "plugin/registry.h"
#include "service/service.h"

namespace pbotvm::host {

/// Has the languages read anew while the service serves, on a thread of its own: who waits for signals must go on
/// hearing them while a plug-in takes its time. A plug-in of which a call is still out is not called beside it: its
/// languages stay as they are. ask() and end() are for one thread.
class LanguageReload {
 public:
  /// Borrows them all; they outlive it. `guard`: of the calls for requests, which takes plug-ins up again that came
  /// back late. `guard_of_start`: that the languages there are were made with.
  LanguageReload(const plugin::Registry& plugins, const config::Configuration& configuration, service::Service& service,
                 plugin::PatientGuard& guard, std::shared_ptr<plugin::PatientGuard> guard_of_start);
  ~LanguageReload();  ///< waits for a reload under way, whose calls into plug-ins are bounded each
  LanguageReload(const LanguageReload&) = delete;
  LanguageReload& operator=(const LanguageReload&) = delete;

  /// Gives the service a new catalogue soon, or logs why it keeps the one it has: what an operator wrote may be wrong.
  /// Asked while one is under way, it reads once more after it, however often it was asked. Never throws, returns at
  /// once.
  void ask() noexcept;

  /// No more of them; one under way changes nothing any more. Whether it came to its end within `patience`: where it
  /// did not, this object cannot be destroyed in reasonable time.
  bool end(std::chrono::milliseconds patience);

  /// Plug-ins that are not asked for their languages, because they did not come back when they were. Any thread.
  std::vector<plugin::Suspension> suspensions() const;

 private:
  void work();
  void run() noexcept;
  void resume_plugins();
  void reload();
  std::shared_ptr<plugin::PatientGuard> guard_for_reading();
  std::set<std::string> hanging(const plugin::PatientGuard& guard) const;
  bool ending() const;

  const plugin::Registry& plugins_;
  const config::Configuration& configuration_;
  service::Service& service_;
  plugin::PatientGuard& guard_of_requests_;

  mutable std::mutex mutex_;  // of what follows
  // Apart from that of requests, and more patient: reading many files takes longer than planning one job, and a plug-in
  // that does not come back here still serves with the languages that it made before. A new one for each reload, so
  // that a plug-in that was slow once has another chance - unless it has not come back yet: it would be called twice at
  // the same time, and each SIGHUP would leave another thread behind. shared: with who asks for its suspensions.
  std::shared_ptr<plugin::PatientGuard> guard_;
  std::condition_variable idle_;
  bool running_ = false;
  bool again_ = false;  // asked for while it ran
  bool ending_ = false;
  std::jthread thread_;  // the last that reloaded
};

}  // namespace pbotvm::host

// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>

#include "pbotvm/deadline.h"
#include "pbotvm/job.h"

namespace pbotvm::machine {

/// Why a job was not run, or was lost: the end of "Virtual machine 'NAME' is unavailable: ".
struct Unavailable {
  std::string why;
  Result printed{};  ///< what it had printed until it was lost
};

using Outcome = std::variant<Result, Unavailable>;

/// One job on its way: waits in a queue, runs, ends. The client's thread waits on it, the machine's thread moves it on.
/// Shared by the two (shared_ptr), because a client that gives up waiting leaves while the queue still holds it.
class Execution {
 public:
  Execution(Job job, Deadline queue_deadline);

  const Job& job() const { return job_; }

  /// Client: waits until the job ended, or until the queue deadline passed before it was begun: `none` then, and the
  /// job will never run.
  std::optional<Outcome> wait();

  /// Whether its client still waits for it to be begun.
  bool waiting() const;

  /// Machine: takes it out of the waiting state; false when the client has given up.
  bool begin();

  /// Machine: the end, in any state. Only the first one counts.
  void finish(Outcome outcome);

 private:
  const Job job_;
  const Deadline queue_deadline_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  enum class State { waiting, running, ended, given_up } state_ = State::waiting;
  std::optional<Outcome> outcome_;
};

}  // namespace pbotvm::machine

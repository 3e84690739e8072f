// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "pbotvm/deadline.h"
#include "pbotvm/job.h"

namespace pbotvm::machine {

/// Why a job was not run, or was lost: the end of "Virtual machine 'NAME' is unavailable: ".
struct Unavailable {
  std::string why;
  Result printed{};  ///< what it had printed until it was lost
};

/// The reply of a guest that words it itself (protocol pbot).
struct GuestReply {
  std::string text;
};

using Outcome = std::variant<Result, Unavailable, GuestReply>;

/// What a client hears of its job while it runs, in this order.
struct Begun {};
using Progress = std::variant<Begun, OutputChunk, StepResult>;

/// One job on its way: waits in a queue, runs, ends. The client's thread waits on it, the machine's thread moves it on.
/// Shared by the two (shared_ptr), because a client that gives up waiting leaves while the queue still holds it.
class Execution {
 public:
  struct Options {
    bool progress = false;    ///< next() is used, not only wait()
    bool more_input = false;  ///< Job::input is followed by add_input() and, at last, end_input()
  };

  Execution(Job job, Deadline queue_deadline) : Execution(std::move(job), queue_deadline, Options()) {}
  Execution(Job job, Deadline queue_deadline, Options options);

  const Job& job() const { return job_; }
  const Options& options() const { return options_; }

  // ---- the client's side; each may be called until the outcome was taken

  /// Waits until the job ended, or until the queue deadline passed before it was begun: `none` then, and the job will
  /// never run.
  std::optional<Outcome> wait();

  /// Waits for what comes next: progress, in order, and the outcome as the last. `Nothing` when `patience` passed
  /// first: to be called again. `GivenUp` as wait()'s `none`.
  struct Nothing {};
  struct GivenUp {};
  using Next = std::variant<Nothing, GivenUp, Progress, Outcome>;
  Next next(const Deadline& patience);

  /// The client wants it no more: it ends soon, as cancelled; one that still waits is given up.
  void cancel();

  /// False when so much waits for the guest already that nothing was taken: to be tried again a little later.
  bool add_input(std::string_view bytes);
  void end_input();

  /// Whether its client still waits for it to be begun.
  bool waiting() const;

  // ---- the machine's side

  /// Takes it out of the waiting state; false when the client has given up. `on_change` is called, without the lock and
  /// by the client's thread, after cancel(), add_input() and end_input(); perhaps once more when the end came
  /// meanwhile, so it must not lead to anything that may be gone by then.
  bool begin(std::function<void()> on_change = nullptr);

  /// Output that the client has not taken yet grows in its last pieces rather than in their number: memory is bounded
  /// by the job's output, whatever the pieces.
  void report(Progress progress);

  /// The end, in any state. Only the first one counts.
  void finish(Outcome outcome);

  bool cancelled() const;

  /// Input that came since the last call, and whether that is all of it.
  struct Input {
    std::string bytes;
    bool whole = false;
  };
  Input take_input();

 private:
  void changed_by_client(std::unique_lock<std::mutex>& lock);

  const Job job_;
  const Deadline queue_deadline_;
  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  enum class State { waiting, running, ended, given_up } state_ = State::waiting;
  std::function<void()> on_change_;
  std::deque<Progress> progress_;
  Input input_;
  bool cancelled_ = false;
  std::optional<Outcome> outcome_;
};

}  // namespace pbotvm::machine

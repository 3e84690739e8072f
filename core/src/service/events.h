// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "pbotvm/job.h"

namespace pbotvm::service {

/// The job was begun.
struct Started {
  std::string language, machine;
};

/// A piece of output; `label` is its step's.
struct Printed {
  OutputChunk chunk;
  std::string label;
};

/// What the job left below its persist-key could not be kept; what was kept before stays.
struct NotSaved {
  std::string key, why;
};

/// The last event of a request that was served.
struct Ended {
  std::string reply;  ///< what a client that wants text reads, without a line's end
  bool ran = false;   ///< a job of this host's own steps was run: the figures below mean something
  std::vector<StepResult> steps{};
  Limit limit = Limit::none;
  std::uint64_t bytes_cut = 0;
};

/// The last event of a request that was not served, or whose job was lost.
struct Failed {
  std::string code;   ///< a word that does not change: docs/clients.md
  std::string text;   ///< what happened, for people
  std::string reply;  ///< as above: `text`, behind what a lost job had printed
};

/// What becomes of a request, in the order: Started, then Printed and StepResult as they happen, then JobFile,
/// LeftBehind and NotSaved, at last Ended or Failed, which alone comes always.
using Event = std::variant<Started, Printed, StepResult, JobFile, LeftBehind, NotSaved, Ended, Failed>;

/// The failure of a request whose reply is nothing but why.
inline Failed failure(const std::string& code, const std::string& text) {
  return {code, text, text};
}

/// Who hears of a request; a front end has one for each form of reply. Called by the thread that runs the request.
class Audience {
 public:
  virtual ~Audience() = default;

  /// Whether events are wanted as they happen, or only the last one.
  virtual bool wants_progress() const = 0;

  /// May block while a slow client reads. Must not throw.
  virtual void take(const Event& event) = 0;
};

}  // namespace pbotvm::service

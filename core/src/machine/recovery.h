// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>

#include "config/configuration.h"
#include "pbotvm/job.h"
#include "protocol/messages.h"

namespace pbotvm::machine {

/// How a job left its machine.
struct JobAftermath {
  Limit limit = Limit::none;    ///< what ended it
  bool unwanted = false;        ///< its own client had it cancelled
  bool proven_clean = false;    ///< the guest proved that nothing is left
  std::string doubt;            ///< why not
  bool protocol_fault = false;  ///< the guest said what it must not, or nothing in time
};

/// Whether the job was a fault: a time-out, a job that had to be killed, a protocol fault. A job that only met a bound
/// and went on (processes, file size) is none. Nor is one that its own client cancelled and that the guest proved to be
/// gone: that is a wish which was fulfilled, and a client who changes his mind must not cost the others a revert.
bool is_fault(const JobAftermath& aftermath);

/// Whether the machine must go back to its snapshot before it takes another job.
bool needs_revert(config::RevertPolicy policy, const JobAftermath& aftermath);

/// The pauses between attempts to bring a machine up: 1, 2, 4 ... 60 s; start over after a success.
class GrowingPause {
 public:
  /// The pause after one more failure. None at all for a machine that was lost while it served, the first time: mostly
  /// it is back in a second or two.
  std::chrono::seconds after_failure(bool served);
  void reset() { *this = GrowingPause(); }

 private:
  bool failed_ = false;
  std::chrono::seconds next_{1};
};

}  // namespace pbotvm::machine

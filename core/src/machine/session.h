// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pbotvm/job.h"
#include "protocol/messages.h"

namespace pbotvm::machine {

/// One conversation with a guest over one connected stream, in whatever dialect the guest speaks. Turns jobs into what
/// the dialect says and what comes back into events; knows no deadlines and no policy. Never blocks. The machine's
/// thread only.
class Session {
 public:
  struct Welcomed {
    protocol::Welcome welcome;
    bool tools_known = true;  ///< false: the guest's dialect cannot tell, `welcome.tools` says nothing
  };
  struct Ponged {
    std::string payload;
  };
  /// A piece of a job's output, or the end of one of its steps, for a job started with `progress`. Both are in the
  /// result, too.
  struct Printed {
    std::uint32_t job;
    OutputChunk chunk;
  };
  struct StepEnded {
    std::uint32_t job;
    StepResult step;
  };
  /// The job's result is whole. Its slot is not free yet.
  struct Ended {
    std::uint32_t job;
    Result result;
    std::string error;                 ///< not empty: the guest could not run it
    std::optional<std::string> reply;  ///< the whole reply, of a guest that words it itself; `result` is empty then
  };
  /// Nothing more will come of this job.
  struct Cleaned {
    std::uint32_t job;
    protocol::Clean clean;
  };
  /// The guest would not take the job, or not one of its frames.
  struct Refused {
    std::uint32_t job;
    protocol::Refusal refusal;
  };
  /// The guest said of this job what it must not: nothing more is taken of it. The conversation goes on for the others.
  struct Faulted {
    std::uint32_t job;
    std::string why;
    Result printed;  ///< until then
  };
  using Event = std::variant<Welcomed, Ponged, Printed, StepEnded, Ended, Cleaned, Refused, Faulted>;

  /// What the host asks of a guest when it opens a conversation.
  struct Opening {
    std::vector<std::string> tools;  ///< to ask after
    std::uint32_t slots = 1;         ///< jobs at one time
    bool network = false;            ///< for jobs
  };

  struct JobOptions {
    bool progress = false;    ///< Printed and StepEnded are wanted
    bool more_input = false;  ///< Job::input is followed by add_input() and, at last, end_input()
  };

  virtual ~Session() = default;

  virtual int fd() const = 0;
  virtual bool wants_to_write() const = 0;

  /// Opens a conversation, so that nothing of an earlier one is ever taken for this one's. Forgets all jobs.
  virtual void hello(const Opening& opening) = 0;
  /// The same again, for a guest that was not listening yet.
  virtual void repeat_hello() = 0;
  /// How long a guest that is known to be up may take to answer a hello: the next transport is asked within a second.
  virtual std::chrono::milliseconds patience() const { return std::chrono::milliseconds(900); }

  virtual void ping(std::string payload) = 0;
  virtual void start_job(std::uint32_t id, const Job& job, const JobOptions& options) = 0;
  /// More of a running job's input; nothing is lost, and nothing happens for one that has ended.
  virtual void add_input(std::uint32_t id, std::string_view bytes) = 0;
  virtual void end_input(std::uint32_t id) = 0;
  /// Bytes of a job's input that the guest has not let through yet: whoever adds more waits while they are many.
  virtual std::size_t input_waiting(std::uint32_t /*id*/) const { return 0; }
  virtual void cancel(std::uint32_t id) = 0;

  /// What a job has printed until now, taken out: for one whose end will not come.
  virtual Result abandon(std::uint32_t id) = 0;

  /// Reads and writes some of what the stream takes now, returns what happened. Bounded, however fast the guest writes.
  virtual std::vector<Event> pump() = 0;

  /// Throws what ended the conversation, if something did: Error{unavailable} when the stream ended, Error{protocol}
  /// when the guest sent what it must not. To be asked after what pump() returned was heeded, as that came before it.
  virtual void check() const = 0;
};

}  // namespace pbotvm::machine

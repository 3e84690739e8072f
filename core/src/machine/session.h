// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <exception>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "pbotvm/unique_fd.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

namespace pbotvm::machine {

/// One conversation with a guest over one connected stream. Turns jobs into frames and frames into what happened; knows
/// no deadlines and no policy. Never blocks. The machine's thread only.
class Session {
 public:
  struct Welcomed {
    protocol::Welcome welcome;
  };
  struct Ponged {
    std::string payload;
  };
  /// The job's result is whole. Its slot is not free yet.
  struct Ended {
    std::uint32_t job;
    Result result;
    std::string error;  ///< not empty: the guest could not run it
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
  using Event = std::variant<Welcomed, Ponged, Ended, Cleaned, Refused>;

  /// Takes a connected, non-blocking stream; `description` names it in errors.
  Session(UniqueFd stream, std::string description);

  int fd() const { return stream_.get(); }
  bool wants_to_write() const { return !outgoing_.empty(); }

  /// Opens a conversation: a new nonce, so that nothing of an earlier one is ever taken for this one's. Forgets all
  /// jobs.
  void hello(const std::vector<std::string>& tools);
  /// The same hello again, for a guest that was not listening yet; its time of day is fresh.
  void repeat_hello();

  void ping(std::string payload);
  void start_job(std::uint32_t id, const Job& job);
  void cancel(std::uint32_t id);

  /// What a job has printed until now, taken out: for one whose end will not come.
  Result abandon(std::uint32_t id);

  /// Reads and writes some of what the stream takes now, returns what happened. Bounded, however fast the guest writes.
  std::vector<Event> pump();

  /// Throws what ended the conversation, if something did: Error{unavailable} when the stream ended, Error{protocol}
  /// when the guest sent what it must not. To be asked after what pump() returned was heeded, as that came before it.
  void check() const;

 private:
  struct Running {
    Result result;
    std::uint64_t output_bytes = 0;
    std::uint32_t uncredited = 0;  // output bytes taken since the last credit
    std::string input;             // not sent yet
    bool input_ended = false;
    std::uint64_t input_credit = protocol::initial_input_credit;
    bool ended = false;
    std::uint32_t steps = 0;
    protocol::MessageAssembler steps_text, ending_text, clean_text, refusal_text;
  };

  void send_hello();
  void send(protocol::FrameType type, std::uint32_t job, std::string payload);
  void send_input(std::uint32_t id, Running& running);
  void write_some();
  bool read_some();
  void exchange(std::vector<Event>& events);
  void check_damage() const;
  void handle(const protocol::Frame& frame, std::vector<Event>& events);
  void handle_job_frame(const protocol::Frame& frame, Running& running, std::vector<Event>& events);
  void take_output(std::uint32_t id, Running& running, const std::string& payload);

  UniqueFd stream_;
  std::string description_;
  std::uint64_t nonce_ = 0;
  std::vector<std::string> tools_;
  bool welcomed_ = false;
  protocol::FrameReader reader_;
  protocol::MessageAssembler welcome_text_, refusal_text_;
  std::string outgoing_;
  std::size_t written_ = 0;  // of outgoing_
  std::map<std::uint32_t, Running> jobs_;
  std::uint32_t pings_ = 0;                                // not answered yet
  std::uint32_t refusals_ = 0;                             // of frames that belong to no job, since the hello
  std::uint64_t damaged_before_ = 0, skipped_before_ = 0;  // the hello
  std::exception_ptr broken_;
};

}  // namespace pbotvm::machine

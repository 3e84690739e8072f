// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "machine/pbot_answer.h"
#include "machine/session.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::machine {

/// A conversation with PBot's own guest-server (`protocol: pbot`): one JSON text a job, one text back, one job at a
/// time. docs/pbot-compatibility.md tells what the dialect can and cannot say.
///
/// It has no hello. hello() asks the guest to print a random word, by a job like any other, and Welcomed comes when
/// that very word came back: whatever the guest still owed to somebody else came before it and was dropped. So hello()
/// also brings a line back in step after cancel(), abandon() and Faulted; until then start_job() answers Refused{busy}.
/// The answer takes as long as what the guest is still busy with: patience() says how long that may be.
///
/// An answered job is followed by Cleaned{proven}: the dialect cannot tell, and the original reverts after time-outs
/// only. Welcomed says so.
class PbotSession : public Session {
 public:
  /// A stream that stays, such as a serial line: connected and non-blocking; `description` names it in errors.
  PbotSession(UniqueFd stream, std::string description);

  /// Streams that end with their request, as the original serves VM sockets: `stream` is the first one, `open` makes
  /// each further one. What it throws (Error) leaves hello(), repeat_hello() and start_job().
  using Open = std::function<UniqueFd()>;
  PbotSession(UniqueFd stream, std::string description, Open open);

  int fd() const override;
  bool wants_to_write() const override { return !outgoing_.empty() || !events_.empty(); }
  void hello(const Opening& opening) override;
  void repeat_hello() override;
  /// A little more than the original's guest lets one command run.
  std::chrono::milliseconds patience() const override { return std::chrono::seconds(65); }
  /// Answered at once: that a stream is there is all that can be said.
  void ping(std::string payload) override;
  /// The request goes out when the job's input is whole.
  void start_job(std::uint32_t id, const Job& job, const JobOptions& options) override;
  void add_input(std::uint32_t id, std::string_view bytes) override;
  void end_input(std::uint32_t id) override;
  /// The guest cannot be told: the job is given up, and its answer will be dropped.
  void cancel(std::uint32_t id) override;
  Result abandon(std::uint32_t id) override;
  std::vector<Event> pump() override;
  void check() const override;

 private:
  using Clock = std::chrono::steady_clock;
  struct Running {
    std::uint32_t id = 0;
    Job job;
    bool asked = false;  // the guest, or its request is on the way
  };

  bool runs(std::uint32_t id) const { return running_ && running_->id == id; }
  void ask(Running& running);
  void send_probe();
  void send_request(std::string_view json);
  void use_fresh_stream();
  void end_stream();
  void give_up_job();
  void exchange();
  void write_some();
  bool read_some();
  void on_end_of_stream(const std::string& why);
  void take_answer(PbotAnswers::Answer answer);
  void take_probe_answer(const PbotAnswers::Answer& answer);
  void fault(const std::string& why);

  UniqueFd stream_;
  const std::string description_;
  const Open open_;           // empty: the stream stays
  bool stream_used_ = false;  // by a request
  UniqueFd always_writable_;  // what fd() is while there are events to be fetched, or no stream
  PbotAnswers answers_;
  std::deque<std::string> outgoing_;  // requests
  std::size_t written_ = 0;           // of the first one
  bool in_step_ = false;              // the guest owes nothing but the answer to running_
  std::string word_;                  // that the last probe asked for; empty: none is awaited
  Clock::time_point next_probe_{};
  std::chrono::seconds probe_pause_{};
  std::optional<Running> running_;
  std::vector<Event> events_;
  std::exception_ptr broken_;
};

}  // namespace pbotvm::machine

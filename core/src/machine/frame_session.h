// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include "machine/session.h"
#include "pbotvm/unique_fd.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

namespace pbotvm::machine {

/// A conversation in the project's own frames; docs/protocol.md is the specification.
class FrameSession : public Session {
 public:
  /// Takes a connected, non-blocking stream; `description` names it in errors.
  FrameSession(UniqueFd stream, std::string description);

  int fd() const override { return stream_.get(); }
  bool wants_to_write() const override { return !outgoing_.empty(); }
  /// Opens a conversation with a new nonce. A repeated hello has the same, and a fresh time of day.
  void hello(const Opening& opening) override;
  void repeat_hello() override;
  void ping(std::string payload) override;
  void start_job(std::uint32_t id, const Job& job, const JobOptions& options) override;
  void add_input(std::uint32_t id, std::string_view bytes) override;
  void end_input(std::uint32_t id) override;
  void cancel(std::uint32_t id) override;
  Result abandon(std::uint32_t id) override;
  std::vector<Event> pump() override;
  void check() const override;

 private:
  struct Running {
    Result result;
    std::uint64_t output_bytes = 0;
    std::uint32_t uncredited = 0;  // output bytes taken since the last credit
    JobOptions options;
    std::string input;         // not sent yet
    bool input_whole = false;  // nothing will be added to it
    bool input_ended = false;  // and the guest was told
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
  Opening opening_;
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

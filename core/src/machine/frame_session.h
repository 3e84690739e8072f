// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include "machine/job_receipt.h"
#include "machine/job_upload.h"
#include "machine/outbox.h"
#include "machine/session.h"
#include "pbotvm/unique_fd.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

namespace pbotvm::machine {

/// A conversation in the project's own frames; docs/protocol.md is the specification. Jobs take turns on the line.
class FrameSession : public Session {
 public:
  /// Takes a connected, non-blocking stream; `description` names it in errors.
  FrameSession(UniqueFd stream, std::string description);

  int fd() const override { return stream_.get(); }
  bool wants_to_write() const override { return outbox_.waiting() > 0; }
  /// Opens a conversation with a new nonce. A repeated hello has the same, and a fresh time of day.
  void hello(const Opening& opening) override;
  void repeat_hello() override;
  void ping(std::string payload) override;
  void start_job(std::uint32_t id, const Job& job, const JobOptions& options) override;
  void add_input(std::uint32_t id, std::string_view bytes) override;
  void end_input(std::uint32_t id) override;
  std::size_t input_waiting(std::uint32_t id) const override;
  void cancel(std::uint32_t id) override;
  /// Also tells the guest to end the job, if it has not.
  Result abandon(std::uint32_t id) override;
  std::vector<Event> pump() override;
  void check() const override;

 private:
  struct Running {
    JobUpload upload;
    JobReceipt receipt;
  };
  using Jobs = std::map<std::uint32_t, Running>;

  void send_hello();
  void send(protocol::FrameType type, std::uint32_t job, std::string_view payload);
  void fill_outbox();
  Jobs::iterator next_to_send();
  bool read_some();
  void exchange(std::vector<Event>& events);
  void check_damage() const;
  void handle(const protocol::Frame& frame, std::vector<Event>& events);
  void handle_conversation_frame(const protocol::Frame& frame, std::vector<Event>& events);
  void handle_job_frame(const protocol::Frame& frame, Running& running, std::vector<Event>& events);
  void count_stray();

  UniqueFd stream_;
  std::string description_;
  std::uint64_t nonce_ = 0;
  Opening opening_;
  bool welcomed_ = false;
  protocol::FrameReader reader_;
  protocol::MessageAssembler welcome_text_{protocol::max_small_message}, refusal_text_{protocol::max_small_message};
  Outbox outbox_;
  Jobs jobs_;
  std::uint32_t last_sent_ = 0;                            // job whose turn it was
  std::uint32_t pings_ = 0;                                // not answered yet
  std::uint32_t refusals_ = 0;                             // of frames that belong to no job, since the hello
  std::uint32_t strays_ = 0;                               // frames that belong to nothing, since the hello
  std::uint64_t damaged_before_ = 0, skipped_before_ = 0;  // the hello
  std::exception_ptr broken_;
};

}  // namespace pbotvm::machine

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "jobs.h"
#include "line.h"
#include "pbot_session.h"
#include "protocol/messages.h"

namespace pbotvm::guest {

/// What a host and this guest say to each other on one line. A hello opens it anew; only frames with its nonce count.
class Conversation : public JobOwner {
 public:
  Conversation(EventLoop& loop, const Containment& containment, Jobs& jobs, PbotTurns& turns, UniqueFd fd,
               LineKind kind, std::string name, std::function<void()> on_closed);
  ~Conversation() override;

  void send(protocol::FrameType type, std::uint32_t job, const std::string& payload) override;
  void send_output(std::uint32_t job, std::uint32_t step, Stream stream, std::string_view bytes) override;
  void send_part(protocol::FrameType type, bool more, std::uint32_t job, std::string_view head,
                 std::string_view body) override;
  std::size_t room() const override { return line_.room(jobs() > 1); }
  std::chrono::microseconds pace(std::size_t bytes) const override;
  bool slow() const override { return line_.slow(); }
  bool network() const override { return network_; }
  void on_job_progress() override;

 private:
  std::size_t jobs() const;
  void on_frame(protocol::Frame&& frame);
  void say_no_conversation(const protocol::Frame& frame);
  void on_hello(const protocol::Frame& frame);
  void on_job(const protocol::Frame& frame);
  void on_job_frame(JobRun& run, const protocol::Frame& frame);
  void on_closed();
  void refuse(std::uint32_t job, const std::string& code, const std::string& text);
  void set_system(const protocol::Hello& hello);
  protocol::Welcome welcome(const protocol::Hello& hello) const;

  EventLoop& loop_;
  const Containment& containment_;
  Jobs& jobs_;
  std::function<void()> on_closed_;
  bool open_ = false;
  std::uint64_t nonce_ = 0;
  bool network_ = false;
  std::uint32_t assembling_ = 0;  // job whose announcement has begun
  protocol::MessageAssembler assembler_, hello_assembler_;
  std::uint64_t stale_frames_ = 0;  // of no or an earlier conversation
  PbotSession pbot_;                // the other dialect
  Line line_;
};

}  // namespace pbotvm::guest

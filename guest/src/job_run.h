// SPDX-License-Identifier: MIT
#pragma once

// One job from its announcement until nothing is left of it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "event_loop.h"
#include "job_collection.h"
#include "job_input.h"
#include "job_output.h"
#include "job_owner.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "sandbox.h"

namespace pbotvm::guest {

class JobRun {
 public:
  /// `on_done` is called once when the job has left its sandbox or never needs one; it may destroy this object.
  JobRun(EventLoop& loop, const Containment& containment, JobOwner& owner, std::uint32_t id, protocol::AnnouncedJob job,
         std::function<void(JobRun&)> on_done);
  JobRun(const JobRun&) = delete;
  ~JobRun();

  std::uint32_t id() const { return id_; }
  const JobOwner* owner() const { return owner_; }
  bool live() const { return owner_ && !cleaned_; }  ///< takes a slot of its conversation
  const Bounds& bounds() const { return bounds_; }

  /// What the host sends. Throw protocol::MessageError for what does not fit the job; it is ended by that.
  void on_file(const protocol::FilePiece& piece);
  void on_input(std::string_view bytes);
  void on_credit(std::uint32_t bytes);
  void cancel();

  /// The owner is gone: ends the job without a word.
  void abandon();

  /// Its turn to send: at most `room` bytes.
  void on_turn(std::size_t room);

  /// Bytes that came and could not be handed on yet.
  std::size_t backlog() const { return order_.size() - order_sent_; }

  /// Whether it waits for a sandbox; take() gives it one. `fail` says that there will be none.
  bool waiting() const { return state_ == State::waiting; }
  bool network() const { return network_; }  ///< of the sandbox that it needs
  bool has_sandbox() const { return sandbox_ != nullptr; }
  void take(std::unique_ptr<Sandbox> sandbox, std::size_t crowd);
  void fail(const std::string& why);

  /// The sandbox when the job is done with it: to be ended.
  std::unique_ptr<Sandbox> release() { return std::move(sandbox_); }
  bool cleaned() const { return cleaned_; }
  /// Whether nothing extraordinary happened, so that the sandbox may do for another job.
  bool ordinary() const { return cleaned_ && limit_ == Limit::none && !killed_ && owner_; }
  void tell_clean(const protocol::Clean& clean);

 private:
  enum class State {
    waiting,     // for a sandbox
    feeding,     // files, or an order, are on their way
    running,     // a step
    draining,    // a step's process has ended, its last output is on its way
    sweeping,    // what a step left behind is ended before the next
    collecting,  // files are taken back
    over,
  };

  void set_limits();
  void begin_files();
  bool choose_step();
  bool is_explained(std::size_t step) const;
  void append_step_order();
  void feed();
  void write_order();
  void begin_step();
  void on_stub_exit();
  void on_step_exit();
  void check_drained();
  void end_step();
  StepResult step_result();
  void sweep();
  void begin_stub();
  void check_cpu();
  void strike(Limit limit);
  std::uint64_t last_words() const;
  void on_late();
  Limit limit_behind(const ExitStatus& status);
  std::string read_complaint();

  bool wants_collection() const;
  void end_steps();
  void give_up_collection(const std::string& why);
  void check_collected();

  void finish(const std::string& error);
  void want_turn();
  void rest(std::size_t bytes);
  void send(protocol::FrameType type, const std::string& payload);
  void send_part(protocol::FrameType type, bool more, std::string_view head, std::string_view body);

  EventLoop& loop_;
  const Containment& containment_;
  JobOwner* owner_;
  const std::uint32_t id_;
  protocol::AnnouncedJob announced_;
  std::function<void(JobRun&)> on_done_;
  const bool network_;
  Bounds bounds_;
  ProcessLimits process_limits_;
  State state_ = State::waiting;
  std::unique_ptr<Sandbox> sandbox_;

  std::string order_;            // for the stub
  std::size_t order_sent_ = 0;   // bytes of it that were written
  std::size_t file_ = 0;         // that is being received
  std::uint64_t file_left_ = 0;  // bytes of it
  std::unique_ptr<Watch> order_watch_;
  JobInput input_;
  JobOutput output_;
  std::size_t crowd_ = 1;  // jobs that ran when this one got its sandbox, with it

  std::size_t step_ = 0;
  std::optional<StepResult> last_step_;
  ExitStatus exit_;
  Clock::time_point step_started_{};
  std::chrono::microseconds step_wall_{0};
  Limit limit_ = Limit::none;
  std::string step_error_;
  bool cleaned_ = false;
  bool killed_ = false;  // a step was, by whomever

  std::unique_ptr<JobCollection> collection_;  // from the end of the last step on, if there is something to collect
  bool collected_ = false;                     // all of it was sent
  Timer wall_, cpu_, late_, rest_;
};

}  // namespace pbotvm::guest

// SPDX-License-Identifier: MIT
#pragma once

// One job from its announcement until nothing is left of it.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "event_loop.h"
#include "job_input.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "sandbox.h"

namespace pbotvm::guest {

/// Where a job's frames go. Outlived by its jobs: they are told to forget it.
class JobOwner {
 public:
  virtual ~JobOwner() = default;
  virtual void send(protocol::FrameType type, std::uint32_t job, const std::string& payload) = 0;
  /// Bytes of output that the line takes now; JobRun::on_room() follows when it has become more.
  virtual std::size_t room() const = 0;
  /// Whether the line needs so long that output in plenty would hold up the result.
  virtual bool slow() const = 0;
  /// The job has less to be fed with than before: reading may go on.
  virtual void on_job_progress() = 0;
};

class JobRun {
 public:
  /// `on_done` is called once when the job has left its sandbox or never needs one; it may destroy this object.
  JobRun(EventLoop& loop, const Containment& containment, JobOwner& owner, std::uint32_t id, protocol::AnnouncedJob job,
         std::function<void(JobRun&)> on_done);
  JobRun(const JobRun&) = delete;

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

  /// The line takes output again.
  void on_room();

  /// Bytes that came and could not be handed on yet.
  std::size_t backlog() const { return order_.size(); }

  /// Whether it waits for a sandbox; take() gives it one. `fail` says that there will be none.
  bool waiting() const { return state_ == State::waiting; }
  bool has_sandbox() const { return sandbox_ != nullptr; }
  void take(std::unique_ptr<Sandbox> sandbox);
  void fail(const std::string& why);

  /// The sandbox when the job is done with it: to be ended.
  std::unique_ptr<Sandbox> release() { return std::move(sandbox_); }
  bool cleaned() const { return cleaned_; }
  /// Whether nothing extraordinary happened, so that the sandbox may do for another job.
  bool ordinary() const { return cleaned_ && limit_ == Limit::none && !killed_ && owner_; }
  void tell_clean(const protocol::Clean& clean);

 private:
  enum class State {
    waiting,   // for a sandbox
    feeding,   // files are on their way
    running,   // a step
    draining,  // a step's process has ended, its last output is on its way
    sweeping,  // what a step left behind is ended before the next
    over,
  };
  struct OutputPipe {
    Stream stream;
    UniqueFd* fd = nullptr;
    std::unique_ptr<Watch> watch;
    std::uint64_t left = 0;  // draining: bytes that were in it when the process ended
  };

  void set_limits();
  void begin_files();
  bool choose_step();
  void append_step_order();
  void feed();
  void write_order();
  void begin_step();
  void on_step_exit();
  void watch_output();
  void on_output(OutputPipe& pipe);
  ssize_t read_pipe(OutputPipe& pipe, std::size_t most);
  std::size_t output_window() const;
  void take_output(Stream stream, std::string_view bytes);
  void drain();
  void end_step();
  void next_step();
  void strike(Limit limit);
  void on_struck_for_long();
  Limit limit_behind(const ExitStatus& status);
  std::string read_complaint();
  void finish(const std::string& error);
  void send(protocol::FrameType type, const std::string& payload);

  EventLoop& loop_;
  const Containment& containment_;
  JobOwner* owner_;
  const std::uint32_t id_;
  protocol::AnnouncedJob announced_;
  std::function<void(JobRun&)> on_done_;
  Bounds bounds_;
  ProcessLimits process_limits_;
  State state_ = State::waiting;
  std::unique_ptr<Sandbox> sandbox_;

  std::string order_;            // for the stub, not written yet
  std::size_t file_ = 0;         // that is being received
  std::uint64_t file_left_ = 0;  // bytes of it
  std::unique_ptr<Watch> order_watch_;
  JobInput input_;

  std::size_t step_ = 0;
  std::optional<StepResult> last_step_;
  ExitStatus exit_;
  Clock::time_point step_started_{};
  std::chrono::microseconds step_wall_{0};
  Limit limit_ = Limit::none;
  std::string step_error_;
  std::array<OutputPipe, 2> pipes_;
  std::uint64_t credit_ = protocol::initial_output_credit;
  std::uint64_t sent_ = 0, cut_ = 0;
  std::uint64_t last_words_;  // bytes that may still be sent after a strike
  bool cleaned_ = false;
  bool killed_ = false;  // a step was, by whomever
  Timer wall_, watch_delay_, struck_;
};

}  // namespace pbotvm::guest

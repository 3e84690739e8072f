// SPDX-License-Identifier: MIT
#pragma once

// Where a job's frames go, and how the jobs of one line share it.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "protocol/frame.h"
#include "protocol/messages.h"

namespace pbotvm::guest {

class JobRun;

/// Outlived by its jobs: they are told to forget it. What a job has in plenty, output and collected files, is sent in
/// turns, so that one job that floods does not hold up another's answer.
class JobOwner {
 public:
  virtual ~JobOwner() = default;

  virtual void send(protocol::FrameType type, std::uint32_t job, const std::string& payload) = 0;
  /// One OUTPUT; for an owner that has no use for the frame's payload in one piece.
  virtual void send_output(std::uint32_t job, std::uint32_t step, Stream stream, std::string_view bytes) {
    send(protocol::FrameType::output, job, protocol::encode_output(step, stream, bytes));
  }
  /// One frame, whose payload is `head` and `body`; `more` of its message follows.
  virtual void send_part(protocol::FrameType type, bool more, std::uint32_t job, std::string_view head,
                         std::string_view body);

  /// Bytes that the line takes of the next frame that is sent in turns; give_turns() follows when none became some.
  virtual std::size_t room() const = 0;
  /// How long a job that has sent so many bytes in its turn is to wait for the next one, because others are there.
  virtual std::chrono::microseconds pace(std::size_t bytes) const {
    (void)bytes;
    return {};
  }
  /// Whether the line needs so long that output in plenty would hold up the result.
  virtual bool slow() const = 0;
  /// Whether its jobs are among those that the slots are for.
  virtual bool takes_slots() const { return true; }
  /// Whether its jobs use the machine's own network.
  virtual bool network() const { return false; }
  /// The job has less to be fed with than before: reading may go on.
  virtual void on_job_progress() = 0;

  /// Calls JobRun::on_turn() once when there is room and those that asked before have had theirs; at once if possible.
  void want_turn(JobRun& run);
  void drop_turn(const JobRun& run);
  /// To be called when there is room again.
  void give_turns();

 private:
  std::deque<JobRun*> turns_;
  bool giving_ = false;
  std::string parts_;
};

}  // namespace pbotvm::guest

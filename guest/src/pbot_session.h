// SPDX-License-Identifier: MIT
#pragma once

// PBot's own dialect on one line: requests are served one after the other, each is answered with its own result.

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "containment.h"
#include "event_loop.h"
#include "jobs.h"
#include "line.h"
#include "pbot_job.h"
#include "pbot_request.h"

namespace pbotvm::guest {

class PbotSession;

/// How many jobs of this dialect run at one time, on all lines: the dialect has no word for "busy", so the others wait.
class PbotTurns {
 public:
  /// `time`: how long one job may take, for all its steps together.
  PbotTurns(EventLoop& loop, std::chrono::milliseconds time) : loop_(loop), time_(time) {}
  PbotTurns(const PbotTurns&) = delete;

  std::chrono::milliseconds time() const { return time_; }
  /// The session's on_turn() is called once, in a later round, when there is room for its job.
  void ask(PbotSession& session);
  /// The session has no use for its turn any more, or for getting one.
  void give_back(PbotSession& session);

 private:
  void call_next();

  EventLoop& loop_;
  const std::chrono::milliseconds time_;
  std::list<PbotSession*> running_, waiting_;
};

class PbotSession : public JobOwner {
 public:
  /// What the session needs of its line.
  struct Ways {
    std::function<void(std::string_view)> say;
    std::function<void()> take_back;  ///< forget what was said and has not left
    std::function<void()> all_said;   ///< on_end() was true, and now nothing more will be said
  };

  PbotSession(EventLoop& loop, const Containment& containment, Jobs& jobs, PbotTurns& turns, LineKind kind, Ways ways);
  PbotSession(const PbotSession&) = delete;
  ~PbotSession() override;

  /// Bytes that are no frame.
  void on_text(std::string_view text);
  /// The host sends no more. True: it is still to be answered.
  bool on_end();
  /// The host is gone, or speaks frames: forgets all requests and ends their jobs.
  void reset();

  void on_turn();

  // JobOwner
  void send(protocol::FrameType type, std::uint32_t job, const std::string& payload) override;
  std::size_t room() const override { return protocol::max_payload; }
  bool slow() const override { return false; }         // what a job printed before a limit struck is wanted
  bool takes_slots() const override { return false; }  // PbotTurns bounds them
  void on_job_progress() override {}

 private:
  enum class State { idle, waiting, running };
  struct Request {
    PbotRequest request;
    std::string refusal;  // not empty: what to answer instead
  };

  void take(PbotReader::Found found);
  void set_time(const PbotRequest& request) const;
  void start_next();
  void start_job();
  void feed_input();
  void on_result();
  void answer(const std::string& text);
  void later(void (PbotSession::*task)());

  EventLoop& loop_;
  const Containment& containment_;
  Jobs& jobs_;
  PbotTurns& turns_;
  const LineKind kind_;
  Ways ways_;
  PbotReader reader_;
  Clock::time_point last_text_{};
  Timer idle_;
  bool ended_ = false;  // the host sends no more
  bool spoke_ = false;  // the line's host speaks this dialect
  State state_ = State::idle;
  std::deque<Request> requests_;  // the first is the one that is served, unless idle
  std::size_t held_ = 0;          // bytes of what they hold

  std::uint64_t epoch_ = 0;  // grows with every request and reset: what was put off for an earlier one is void

  // Of the job that runs.
  std::uint32_t job_ = 0;
  PbotPlan plan_;
  PbotOutcome outcome_;
  std::size_t input_sent_ = 0, input_allowed_ = 0;

  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // shared with tasks that may outlive this object
};

}  // namespace pbotvm::guest

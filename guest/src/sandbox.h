// SPDX-License-Identifier: MIT
#pragma once

// A place for one job, made before the job is known: namespaces held by a warden (their process 1), a control group, a
// private file system for what the job writes, and a stub: a process that is already inside with the job's rights and
// waits to be told what to become. Starting a job is then one write and one exec.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "cgroup.h"
#include "containment.h"
#include "event_loop.h"
#include "job_meter.h"
#include "order.h"
#include "process.h"
#include "warden.h"

namespace pbotvm::guest {

/// The main loop's ends of a stub. Non-blocking.
struct StubEnds {
  Process process;
  UniqueFd order;  ///< socket: orders to it, complaints from it
  UniqueFd input, output, error;
};

class Sandbox {
 public:
  using OnFailed = std::function<void(const std::string& why)>;

  /// `expected`: bounds that the next job will probably have; `network`: its job uses the machine's own network instead
  /// of an empty one. Throws SystemError.
  Sandbox(EventLoop& loop, const Containment& containment, const Bounds& expected, bool network);
  Sandbox(const Sandbox&) = delete;
  ~Sandbox();

  /// Begins to make it; `on_ready` is called when it can take a job, `on_failed` with the reason when it never will.
  void start(std::function<void()> on_ready, OnFailed on_failed);

  /// The stub for the first step. For a later one: sweep(), then make_stub(). `on_exit` is called when it has ended.
  StubEnds& stub() { return stub_; }
  void make_stub();
  void when_stub_ends(std::function<void()> on_exit);
  const std::string& directory() const { return directory_; }  ///< the job's, as the job sees it

  bool network() const { return network_; }
  void bound(const Bounds& bounds);
  JobCgroup* cgroup() { return cgroup_ ? &*cgroup_ : nullptr; }

  /// What the job uses. A step is counted from begin_step() on; a stub that has waited a while was looked at before.
  JobMeter& meter() { return *meter_; }
  void begin_step();

  /// Makes it as new for another job, with no trace of the last, or calls `on_failed` when that is not certain: then it
  /// must be ended. Only for a vacant() one whose job met no limit.
  void renew(const Bounds& bounds, std::function<void()> on_ready, std::function<void(const std::string&)> on_failed);

  /// Ends every process of the job; their ends are seen later.
  void kill();

  /// Ends every process of the job but not the sandbox, and calls `done` when none is left.
  void sweep(std::function<void()> done);

  /// Whether it is certain, without waiting, that no process of the job is left.
  bool vacant();

  /// Ends the job and the sandbox. Calls `done` once when nothing is left, or with the reason after a bounded wait that
  /// this cannot be proven; the sandbox may be destroyed from then on. The stub must have been reaped or is reaped
  /// here.
  void end(std::function<void(const protocol::Clean&)> done);

 private:
  void start_warden();
  void come_alive();
  void measure_step();
  void on_warden_word();
  void make_directory();
  void check_ended();
  bool tell_warden(const WardenOrder& order);
  bool nothing_left(std::string& what);
  bool sweep_without_warden();

  EventLoop& loop_;
  const Containment& containment_;
  const bool network_;      // the machine's is asked for
  const bool own_network_;  // there is one of its own
  const std::uint64_t expected_memory_;
  std::function<void()> on_ready_;
  OnFailed on_failed_;
  std::function<void()> on_swept_, on_stub_end_;
  std::function<void(const protocol::Clean&)> on_ended_;

  std::optional<JobCgroup> cgroup_;
  std::optional<JobMeter> meter_;
  bool step_measured_ = false;  // what was used before the step that is to come
  std::string directory_;       // of the job; where there is no warden it is this program's to make and remove
  Process warden_;
  UniqueFd warden_words_;
  StubEnds stub_;
  std::unique_ptr<Watch> warden_watch_, stub_watch_;
  Timer retry_, calm_;
  Clock::time_point end_by_{};
};

/// Makes and ends a trial set of namespaces, with or without a network. Returns why that fails, or nothing.
std::string try_namespaces(const Containment& containment, bool network);

}  // namespace pbotvm::guest

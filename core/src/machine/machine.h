// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "config/configuration.h"
#include "machine/execution.h"
#include "machine/heartbeat_monitor.h"
#include "machine/job_queue.h"
#include "machine/recovery.h"
#include "machine/session.h"
#include "pbotvm/hypervisor.h"
#include "pbotvm/transport.h"
#include "plugin/guard.h"

namespace pbotvm::machine {

enum class State { absent, starting, ready, leased, draining, suspect, reverting, failed };
std::string_view state_name(State state);

/// What an operator sees of a machine. A copy, taken at one moment.
struct MachineStatus {
  std::string name;
  State state = State::absent;
  std::chrono::duration<double> since{};  ///< how long it has been in that state
  std::string hypervisor, transport, guest;
  std::size_t waiting = 0;    ///< requests in line
  std::uint32_t running = 0;  ///< jobs on it, also those that are being cleaned up after
  std::uint32_t slots = 0;    ///< jobs that it takes at one time
  std::uint64_t jobs = 0, faults = 0, reverts = 0;
  std::optional<std::chrono::duration<double>> heartbeat_age;
  std::string problem;  ///< why it is not ready; empty when all is well
};

struct Health {
  std::string figures;
  std::optional<std::chrono::duration<double>> heartbeat_age;
  std::chrono::duration<double, std::milli> round_trip{};
};

/// What an operator wants done with the named snapshots of a machine; no name: list them.
struct SnapshotRequest {
  enum class Action { list, create, revert, remove } action = Action::list;
  std::string name;
};

/// A transport and the name that the configuration gives it.
struct NamedTransport {
  std::string name;
  std::unique_ptr<Transport> transport;
};

/// A job that is run before a snapshot is taken, so that its tools are in the guest's memory.
struct WarmUp {
  Job job;
  std::vector<std::string> tools;  ///< it is passed over where the guest lacks one
};

/// One configured virtual machine: a thread that brings it up, runs as many jobs on it at one time as it has slots,
/// watches its heartbeat, and puts it back to its snapshot after a fault. First come, first served. One job's fault
/// never takes another's job away: the machine admits no new one, lets the others end, and only then goes back. Owned
/// by the host; run(), submit(), status(), revert() and health() may be called by any thread.
class Machine {
 public:
  struct Parts {
    std::unique_ptr<Hypervisor> hypervisor;
    std::vector<NamedTransport> transports;  ///< in order of preference
    std::unique_ptr<Transport> heartbeat;    ///< null: the machine has no heartbeat line
  };
  struct Options {
    std::size_t queue_limit = 64;
    std::chrono::milliseconds queue_timeout{10'000};
    std::vector<std::string> tools;                  ///< what to ask the guest for
    std::vector<WarmUp> warm_up;                     ///< run once before the first snapshot, in that order
    std::chrono::milliseconds warm_up_time{30'000};  ///< after which no more of them is begun
    /// How long a transport that did not work is tried after the others when the machine is reverted. A new life begins
    /// with the preferred one in any case.
    std::chrono::milliseconds transport_rest{10'000};
  };

  Machine(config::MachineConfiguration configuration, Parts parts, Options options);
  ~Machine();  ///< shut_down()

  const std::string& name() const { return configuration_.settings.name; }

  /// Starts the thread. Once, after the host has given up its privileges.
  void start();

  /// Waits for a slot and runs the job, whose limits are all filled in. Blocks the calling thread; bounded by the
  /// queue's time-out, the job's wall limit and 2 s; for one that brings or takes back files, up to twice the wall
  /// limit more, as the line needs it.
  Outcome run(Job job);

  /// Puts the job in line and comes back at once, for a client that wants to hear of it meanwhile: see
  /// Execution::next().
  std::shared_ptr<Execution> submit(Job job, const Execution::Options& options);
  /// What a client is told whose execution gave up waiting.
  Unavailable no_slot_in_time() const;

  /// Those of `tools` that the guest is known to lack; one that it was not asked after yet is not among them.
  std::vector<std::string> missing_tools(const std::vector<std::string>& tools) const;

  /// The same where the guest has told of each of `tools` whether it has it; nothing where it has not: it may not be up
  /// yet, not have been asked after one of them yet, or speak a dialect that cannot.
  std::optional<std::vector<std::string>> missing_tools_for_sure(const std::vector<std::string>& tools) const;

  /// From now on the guest is asked after these tools: when it is greeted the next time, which is as soon as no job
  /// runs on it. No job waits or ends for that.
  void ask_after(std::vector<std::string> tools);

  MachineStatus status() const;

  /// Operator: lets running jobs end, reverts, comes back when the machine is ready. Throws Error.
  void revert();
  Health health();
  /// Operator: does it and comes back with the snapshots that there are then. All but a list let running jobs end
  /// first. Throws Error: `refused` where the back end keeps no named snapshots.
  std::vector<Snapshot> snapshots(const SnapshotRequest& request);

  /// Turns waiting requests away, cancels what runs, ends the machine, joins the thread.
  void shut_down();

 private:
  using Clock = Deadline::Clock;
  struct Current {
    std::shared_ptr<Execution> execution;  // null: a warm-up job
    Deadline deadline;                     // when the guest must have answered, then: must have cleaned up
    bool ended = false;
    JobAftermath aftermath{};
    bool input_whole = false;            // all that the client adds was handed on
    std::optional<Deadline> patience{};  // how long it may be deferred, once it was
  };
  /// A job whose turn it is. One that found the guest's slots taken by others has waited before.
  struct Candidate {
    std::shared_ptr<Execution> execution;
    std::optional<Deadline> patience{};
  };
  /// What is known of a transport.
  struct Way {
    Clock::time_point rests_until{};  // it did not work: the others come first
    bool said = false;                // in the log that it does not work
  };
  struct RevertCommand {
    std::promise<void> done;
  };
  struct SnapshotCommand {
    SnapshotRequest request;
    std::promise<std::vector<Snapshot>> done;
  };
  struct HealthCommand {
    std::promise<Health> done;
    Deadline deadline;
    Clock::time_point pinged;
    bool ponged = false;
    Health health{};
  };

  void thread_main();
  void bring_up();
  std::string live();
  Clock::duration served_for() const;
  void serve();
  void look_after();
  void ask_again();
  void wind_down();

  // Conversations.
  void converse(const Deadline& deadline, bool guest_is_up);
  std::vector<std::size_t> ways_in_order() const;
  std::string try_way(std::size_t way, const Deadline& deadline, bool guest_is_up);
  std::string say_hello(const Deadline& deadline, bool guest_is_up);
  bool await_welcome(const Deadline& deadline, bool guest_is_up);
  void note_ways(std::size_t chosen, const std::map<std::size_t, std::string>& problems);
  std::string last_words();
  std::uint32_t wanted_slots() const;
  bool beat_seen() const { return heartbeat_ && heartbeat_->last_beat(); }

  // Jobs.
  void begin_jobs();
  Candidate next_candidate();
  Current& begin(std::shared_ptr<Execution> execution, const Job& job);
  void heed_clients();
  bool hand_on_input(std::uint32_t id, Current& job);
  void pump();
  void handle(const Session::Event& event);
  void on(const Session::Welcomed& welcomed);
  void on(const Session::Ponged& ponged);
  void on(const Session::Printed& printed);
  void on(const Session::StepEnded& step);
  void on(Session::Ended& ended);  // takes the result out
  void on(const Session::Cleaned& cleaned);
  void on(const Session::Refused& refused);
  void on(Session::Faulted& faulted);
  bool defer(std::uint32_t id);
  void expire_jobs();
  void show_running();
  void settle(std::uint32_t id, const JobAftermath& aftermath);
  void expect_revert(JobAftermath aftermath);
  void draw_conclusions(const JobAftermath& aftermath);
  void on_guest_restarted();
  void lose_jobs(const std::string& why);
  void warm_up();
  void await_rest();

  // The machine itself.
  void recover(const std::string& why, bool line_is_broken);
  void revert_now(const std::string& snapshot = {});  // empty: the configured one
  bool is_kept() const;
  void give_up(const std::string& why, bool pauses);
  void become_ready();
  void heed_events();

  // Named snapshots: machine_snapshots.cpp.
  void take_snapshot_commands(bool serving, const Error& not_now);
  void obey_snapshot_commands();
  std::vector<Snapshot> obey(const SnapshotRequest& request);
  void fail_snapshot_commands(const std::string& why);

  // Waiting.
  void wait(const Deadline& deadline);
  void wait_without_session(const Deadline& deadline);
  bool poll(const Deadline& deadline, int data);
  Deadline next_deadline() const;
  void wake() const;
  void take_commands(bool serving);
  void answer_health();
  void fail_health(const std::string& why);
  void refuse_when_ended() const;

  void set_state(State state, const std::string& problem = {});
  template <typename Function>
  auto hypervisor_call(const char* method, Function&& function) {
    return plugin::guarded({"hypervisor", configuration_.hypervisor.plugin, method}, std::forward<Function>(function));
  }

  const config::MachineConfiguration configuration_;
  Parts parts_;
  const Options options_;
  const HypervisorAbilities abilities_;
  HypervisorSnapshots* const named_snapshots_;  // the back end's, if it has any; likewise:
  HypervisorEvents* const events_;
  HypervisorInterruption* const interruption_;
  const std::shared_ptr<const UniqueFd> wake_fd_;  // shared with executions, whose clients may outlive this machine
  JobQueue queue_;
  std::optional<HeartbeatMonitor> heartbeat_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;

  // The machine's thread only.
  std::unique_ptr<Session> session_;
  std::string session_name_;  // of the transport that session_ uses, or used last
  std::vector<Way> ways_;     // by index of the transport
  std::map<std::uint32_t, Current> jobs_;
  std::deque<Candidate> deferred_;  // before those in the queue
  Clock::time_point retry_deferred_{};
  std::uint32_t next_job_ = 1;
  std::uint32_t slots_ = 1;
  std::optional<Clock::time_point> serving_since_;  // of this life
  Clock::time_point next_look_{};
  int silent_reverts_ = 0;                 // since the last beat
  std::vector<std::string> greeted_with_;  // the tools that the last hello asked after
  bool welcomed_ = false;
  bool stale_ = false;  // a job was lost sight of: a new hello must come before the next one
  std::string dirty_;   // why it must be reverted; empty: it need not
  std::vector<RevertCommand> reverts_asked_;
  std::optional<HealthCommand> health_asked_;
  std::deque<SnapshotCommand> snapshots_asked_;

  // With the mutex held; nothing where the guest has told of none.
  std::vector<std::string> lacking(const std::vector<std::string>& tools) const;

  // Shared, under the mutex.
  mutable std::mutex mutex_;
  std::deque<RevertCommand> revert_commands_;
  std::deque<HealthCommand> health_commands_;
  std::deque<SnapshotCommand> snapshot_commands_;
  bool ended_ = false;
  MachineStatus status_;
  Clock::time_point state_since_ = Clock::now();
  std::optional<Clock::time_point> last_beat_;
  std::vector<std::string> wanted_tools_;  // to be asked after
  std::vector<std::string> asked_tools_;   // in the hello whose answer the next one is
  std::optional<std::vector<std::string>> guest_tools_;
  std::vector<std::string> said_containment_;
};

}  // namespace pbotvm::machine

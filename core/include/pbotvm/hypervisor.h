// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pbotvm/machine_settings.h"
#include "pbotvm/settings.h"

PBOTVM_BEGIN_NAMESPACE

/// What a back end can do with its machine.
struct HypervisorAbilities {
  bool starts = false;   ///< start() brings it up, stop() ends it
  bool reverts = false;  ///< take_snapshot() and revert() work
};

/// How a machine came up.
enum class Started {
  fresh,     ///< booted: its snapshot is still to be taken once the guest is ready
  restored,  ///< runs from its snapshot
};

/// Who owns one machine: starts, stops, saves and restores it. Owned by the machine; called by that machine's thread
/// only. Every call comes back by its deadline, or throws Error{timed_out}. Never gains virtuals (see extension()).
class PBOTVM_EXPORT Hypervisor {
 public:
  virtual ~Hypervisor();

  virtual HypervisorAbilities abilities() const noexcept = 0;

  /// Brings the machine up, from its snapshot where one exists that fits everything it depends on, else by booting.
  /// Returns when the machine runs and its endpoints can be connected to, not when its guest answers. Throws Error with
  /// the back end's own words and the remedy; may be called again. Where abilities().starts is false: `restored` at
  /// once.
  virtual Started start(const Deadline& deadline) = 0;

  /// Whether the machine is there right now. Never blocks.
  virtual bool running() noexcept = 0;

  /// Saves the running machine as the snapshot to go back to, replacing an older one; the machine runs on.
  virtual void take_snapshot(const Deadline& deadline) = 0;

  /// Puts the running machine back to its snapshot. Streams may or may not stay connected.
  virtual void revert(const Deadline& deadline) = 0;

  /// Ends the machine and leaves nothing of it behind. A no-op when it is not running.
  virtual void stop(const Deadline& deadline) noexcept = 0;

  /// For log lines and status: "QEMU 7.2.22, tcg, pid 4711".
  virtual std::string description() const = 0;

  virtual void* extension(std::string_view identifier);
};

/// One saved state of a machine.
struct Snapshot {
  std::string name;
  std::string taken;        ///< UTC, "2026-11-21T10:00:00Z"; empty: not known
  std::uint64_t bytes = 0;  ///< on disk; 0: not known
  bool current = false;     ///< the machine was last saved as, or put back to, this one
};

/// Extension of a Hypervisor that keeps several snapshots under names. Same owner, thread and errors as the Hypervisor,
/// whose extension(identifier) returns it; lives as long. Never gains virtuals.
class PBOTVM_EXPORT HypervisorSnapshots {
 public:
  static constexpr std::string_view identifier = "pbotvm.hypervisor.snapshots/1";
  virtual ~HypervisorSnapshots();

  /// Oldest first. Works also while the machine does not run.
  virtual std::vector<Snapshot> list(const Deadline& deadline) = 0;
  /// Saves the running machine; Error{refused} when there is one of that name.
  virtual void create(const std::string& name, const Deadline& deadline) = 0;
  /// Error{refused} with the names there are when there is none of that name.
  virtual void revert_to(const std::string& name, const Deadline& deadline) = 0;
  virtual void remove(const std::string& name, const Deadline& deadline) = 0;
};

/// Something that happened to a machine without being asked for.
struct HypervisorEvent {
  enum class Kind {
    panicked,  ///< its guest reported a kernel panic
    ended,     ///< it is gone, and nobody here ended it
    paused,    ///< it stopped, such as when its disk is full
    resumed,
    reconnected,  ///< the back end's daemon was away and is there again
    unreachable,  ///< the back end's daemon is away
  };
  Kind kind;
  std::string text;  ///< one line for the log, in the back end's own words
};

/// Extension of a Hypervisor that reports events, in the order in which they came. Same owner and thread as the
/// Hypervisor. Never gains virtuals.
class PBOTVM_EXPORT HypervisorEvents {
 public:
  static constexpr std::string_view identifier = "pbotvm.hypervisor.events/1";
  virtual ~HypervisorEvents();

  /// The next one that has not been taken; nothing when there is none. Never blocks.
  virtual std::optional<HypervisorEvent> take_event() = 0;
};

/// Extension of a Hypervisor whose machine can go on without a host until the next one takes it over. Same owner and
/// thread as the Hypervisor. Never gains virtuals.
class PBOTVM_EXPORT HypervisorHandover {
 public:
  static constexpr std::string_view identifier = "pbotvm.hypervisor.handover/1";
  virtual ~HypervisorHandover();

  /// When the host ends: lets go of the running machine, for start() of the next host to find it. False when that is
  /// not wanted, or of no use, as there is nothing to put the machine back to: it is to be stopped then. Never blocks.
  virtual bool leave() noexcept = 0;
};

/// Extension of a Hypervisor whose start() can take long. Same owner as the Hypervisor. Never gains virtuals.
class PBOTVM_EXPORT HypervisorInterruption {
 public:
  static constexpr std::string_view identifier = "pbotvm.hypervisor.interruption/1";
  virtual ~HypervisorInterruption();

  /// When the host ends: a start() that runs, and any later one, gives up soon instead of at its deadline, and throws.
  /// All else goes on as it would. Called by any thread; never blocks.
  virtual void interrupt() noexcept = 0;
};

/// Made once when its plug-in is loaded; `create` runs at start-up, still with the privileges the host was started
/// with: what only they can open is opened there and kept. The working directory is STATE by then.
class PBOTVM_EXPORT HypervisorFactory {
 public:
  virtual ~HypervisorFactory();

  /// `settings` is the map `machines.NAME.hypervisor` with all its keys but `plugin` the back end's own.
  virtual std::unique_ptr<Hypervisor> create(const MachineSettings& machine, const Settings& settings) = 0;
};

PBOTVM_END_NAMESPACE

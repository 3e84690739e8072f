// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <string_view>

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

/// Made once when its plug-in is loaded; `create` runs at start-up, still with the privileges the host was started
/// with: what only they can open is opened there and kept. The working directory is STATE by then.
class PBOTVM_EXPORT HypervisorFactory {
 public:
  virtual ~HypervisorFactory();

  /// `settings` is the map `machines.NAME.hypervisor` with all its keys but `plugin` the back end's own.
  virtual std::unique_ptr<Hypervisor> create(const MachineSettings& machine, const Settings& settings) = 0;
};

PBOTVM_END_NAMESPACE

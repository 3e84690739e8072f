// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "pbotvm/machine_settings.h"
#include "pbotvm/settings.h"

PBOTVM_BEGIN_NAMESPACE

/// A way to a byte stream that ends in one machine's guest. Owned by the machine; called by that machine's thread only.
/// Never gains virtuals: what comes later is asked for through extension().
class PBOTVM_EXPORT Transport {
 public:
  virtual ~Transport();

  /// Opens the stream and hands it over: a connected, non-blocking, close-on-exec descriptor. Framing, multiplexing and
  /// time-outs are the caller's. Throws Error{unavailable} or Error{timed_out}; may be called again after that.
  virtual UniqueFd connect(const Deadline& deadline) = 0;

  /// Where it leads, for log lines: "127.0.0.1:5555".
  virtual std::string description() const = 0;

  /// A further interface by its identifier, null where it is not there. Owned by the transport.
  virtual void* extension(std::string_view identifier);
};

/// Extension of a transport that carries signs of life.
class PBOTVM_EXPORT SignsOfLife {
 public:
  static constexpr std::string_view identifier = "pbotvm.signs-of-life/1";
  virtual ~SignsOfLife();

  /// What to write to the guest every few seconds so that it answers; empty where it beats on its own.
  virtual std::string_view probe() const = 0;

  /// Takes what was read from the stream. True when it completes a sign of life. Keeps at most a line between calls.
  virtual bool feed(std::string_view bytes) = 0;

  /// Forgets a half-read sign; called after every connect and revert.
  virtual void reset() = 0;
};

/// Made once when its plug-in is loaded; `create` runs at start-up, still with the privileges the host was started
/// with.
class PBOTVM_EXPORT TransportFactory {
 public:
  virtual ~TransportFactory();

  /// `settings` is the transport's own map (empty where it was named by a plain word). Throws ConfigurationError on a
  /// key or value that it does not know.
  virtual std::unique_ptr<Transport> create(const MachineSettings& machine, const Settings& settings) = 0;
};

PBOTVM_END_NAMESPACE

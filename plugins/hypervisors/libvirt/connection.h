// SPDX-License-Identifier: MIT
#pragma once

#include <libvirt/libvirt.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "domain_watch.h"
#include "libvirt_error.h"

namespace pbotvm::libvirt {

struct FreeDomain {
  void operator()(virDomain* domain) const { virDomainFree(domain); }
};
using DomainHandle = std::unique_ptr<virDomain, FreeDomain>;

struct FreeSnapshot {
  void operator()(virDomainSnapshot* snapshot) const { virDomainSnapshotFree(snapshot); }
};
using SnapshotHandle = std::unique_ptr<virDomainSnapshot, FreeSnapshot>;

/// One connection to libvirt's daemon, with the events of one domain and keepalive. Made, used and ended by one thread,
/// whose calls may block; needs the EventLoop.
class Connection {
 public:
  /// Connects, looks the domain up and tells `watch` of it. Throws LibvirtError. `watch` is shared: libvirt hands out
  /// events until its loop has heard that they are not wanted any more.
  /// `given_up` becomes true when nobody waits for the call that is being made any more.
  Connection(Subject subject, std::shared_ptr<DomainWatch> watch, const std::atomic<bool>& given_up);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Whether the daemon is still at the other end, as far as is known.
  bool alive() const;
  virConnectPtr get() const { return connection_; }
  const Subject& subject() const { return subject_; }
  DomainWatch& watch() const { return *watch_; }

  /// Throws where nobody waits any more: what changes the domain must not come about long after it was asked for.
  void demand_wanted() const;

  /// Tells the watch whether the domain runs.
  void look() const;

  /// The domain, looked up anew: it may have been defined anew. Throws LibvirtError with the names there are.
  DomainHandle domain() const;
  /// One of its snapshots. Throws LibvirtError with the names there are.
  SnapshotHandle snapshot(virDomainPtr domain, const std::string& name) const;
  /// The same; none where there is none of that name.
  SnapshotHandle find_snapshot(virDomainPtr domain, const std::string& name) const;

  /// Throws what the last call left behind, about this domain and `snapshot`.
  [[noreturn]] void fail(const std::string& tried, const std::string& snapshot = {}) const;

 private:
  void register_events();
  void end() noexcept;
  std::string describe() const;

  const Subject subject_;
  std::shared_ptr<DomainWatch> watch_;  // shared with libvirt's event loop
  const std::atomic<bool>& given_up_;
  virConnectPtr connection_ = nullptr;
  std::vector<int> callbacks_;
};

/// All of them, each behind the one that it descends from.
std::vector<SnapshotHandle> all_snapshots(const Connection& connection, virDomainPtr domain);

/// A text that libvirt allocated, or an empty one.
std::string take_text(char* text);

}  // namespace pbotvm::libvirt

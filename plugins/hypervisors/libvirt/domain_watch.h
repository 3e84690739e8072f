// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>

#include "pbotvm/deadline.h"
#include "pbotvm/hypervisor.h"

namespace pbotvm::libvirt {

inline constexpr std::size_t max_events = 64;  ///< kept until they are taken; the oldest are dropped

/// What is known of a domain and of the connection to its daemon, as events and answers told it. Tells what somebody
/// else did to the domain apart from what this host asked for. Any thread.
class DomainWatch {
 public:
  /// What this host is having done to the domain.
  enum class Asked { nothing, start, save, revert, end };

  /// While it lives, the domain's events are its consequences and are not reported.
  class Asking {
   public:
    Asking(DomainWatch& watch, Asked asked);
    ~Asking();
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;

   private:
    DomainWatch& watch_;
  };

  /// An event of libvirt's, with the numbers of virDomainEventType and of the detail enumeration that belongs to it.
  void lifecycle(int event, int detail);
  /// A disk error, such as "enospc", which the next pause is then explained with.
  void disk_error(const std::string& path, const std::string& reason);

  /// A connection was made; the domain was found running or not. `connection` tells it from those before it.
  void connected(const void* connection, bool active, const std::string& description);
  /// That connection ended, for the reason given. Nothing where another one took its place meanwhile.
  void lost(const void* connection, const std::string& why);
  /// The connection of the time was given up.
  void forsake(const std::string& why);
  /// The domain was looked at, although nothing was told of it. Believed the second time: the event that explains it
  /// may be on its way.
  void found(bool active);
  /// The domain was started or put back: what is still to be told happened to it before that, and asks for nothing
  /// more.
  void begin_anew();
  /// What an answer of libvirt's said.
  void set_active(bool active);

  bool active() const;
  bool is_connected() const;
  std::string description() const;
  std::optional<HypervisorEvent> take();

  /// Waits until the events of what was asked for have come: a saved domain runs again, an ended one is gone. They may
  /// come after the answer. Gives up at the deadline, and at once when the connection is lost.
  void settle(const Deadline& deadline);
  /// Waits until the domain is gone. Whether it is.
  bool await_end(const Deadline& deadline);

 private:
  void disconnect(const std::string& why);
  void report(HypervisorEvent::Kind kind, std::string text);
  void stopped(int detail);
  void suspended(int detail);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<HypervisorEvent> events_;
  std::string description_;
  std::string disk_error_;
  Asked asked_ = Asked::nothing;
  bool active_ = false;
  bool paused_ = false;
  bool doubted_ = false;
  const void* connection_ = nullptr;  // that is there; only compared
  bool was_connected_ = false;
};

}  // namespace pbotvm::libvirt

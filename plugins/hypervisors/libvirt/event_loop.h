// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <thread>

namespace pbotvm::libvirt {

/// libvirt's own event loop on a thread of its own: events and keepalive of every connection of the process run there.
/// libvirt has one such loop a process, so there is one object of this class, made before the first connection.
/// https://libvirt.org/html/libvirt-libvirt-event.html
class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

 private:
  std::atomic<bool> ending_ = false;
  int alarm_ = -1;  // a timer of libvirt's that wakes the loop
  std::thread thread_;
};

}  // namespace pbotvm::libvirt

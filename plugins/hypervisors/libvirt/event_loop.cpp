// SPDX-License-Identifier: MIT
#include "event_loop.h"

#include <libvirt/libvirt.h>

#include <csignal>

#include "libvirt_error.h"

namespace pbotvm::libvirt {
namespace {

/// Signals are for the host's own threads.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace

EventLoop::EventLoop() {
  const Subject nothing;
  silence_libvirt();
  if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0) throw_last_error("prepare libvirt's library", nothing);
  alarm_ = virEventAddTimeout(
      -1, [](int timer, void*) { virEventUpdateTimeout(timer, -1); }, nullptr, nullptr);
  if (alarm_ < 0) throw_last_error("add a timer to libvirt's event loop", nothing);
  const SignalsBlocked blocked;
  thread_ = std::thread([this] {
    while (!ending_) virEventRunDefaultImpl();
  });
}

EventLoop::~EventLoop() {
  ending_ = true;
  virEventUpdateTimeout(alarm_, 0);
  thread_.join();
  virEventRemoveTimeout(alarm_);
}

}  // namespace pbotvm::libvirt

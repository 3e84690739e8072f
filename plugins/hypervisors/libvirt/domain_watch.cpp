// SPDX-License-Identifier: MIT
#include "domain_watch.h"

#include <libvirt/libvirt.h>

#include <utility>

namespace pbotvm::libvirt {
namespace {

std::string stopped_text(int detail) {
  switch (detail) {
    case VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN:
      return "its guest shut down";
    case VIR_DOMAIN_EVENT_STOPPED_DESTROYED:
      return "somebody destroyed it";
    case VIR_DOMAIN_EVENT_STOPPED_CRASHED:
      return "it crashed";
    case VIR_DOMAIN_EVENT_STOPPED_MIGRATED:
      return "it was migrated away";
    case VIR_DOMAIN_EVENT_STOPPED_SAVED:
      return "somebody saved it to a file";
    case VIR_DOMAIN_EVENT_STOPPED_FAILED:
      return "its QEMU failed";
    default:
      return "detail " + std::to_string(detail);
  }
}

std::string suspended_text(int detail) {
  switch (detail) {
    case VIR_DOMAIN_EVENT_SUSPENDED_PAUSED:
      return "somebody paused it";
    case VIR_DOMAIN_EVENT_SUSPENDED_IOERROR:
      return "a disk failed";
    case VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG:
      return "its watchdog expired";
    case VIR_DOMAIN_EVENT_SUSPENDED_API_ERROR:
      return "an operation of libvirt failed";
    default:
      return "detail " + std::to_string(detail);
  }
}

}  // namespace

DomainWatch::Asking::Asking(DomainWatch& watch, Asked asked) : watch_(watch) {
  const std::lock_guard lock(watch_.mutex_);
  watch_.asked_ = asked;
}

DomainWatch::Asking::~Asking() {
  const std::lock_guard lock(watch_.mutex_);
  watch_.asked_ = Asked::nothing;
}

void DomainWatch::lifecycle(int event, int detail) {
  const std::lock_guard lock(mutex_);
  doubted_ = false;
  switch (event) {
    case VIR_DOMAIN_EVENT_STARTED:
      active_ = true;
      paused_ = false;
      break;
    case VIR_DOMAIN_EVENT_STOPPED:
      stopped(detail);
      break;
    case VIR_DOMAIN_EVENT_SUSPENDED:
      suspended(detail);
      break;
    case VIR_DOMAIN_EVENT_RESUMED:
      if (std::exchange(paused_, false) && asked_ == Asked::nothing && detail != VIR_DOMAIN_EVENT_RESUMED_FROM_SNAPSHOT)
        report(HypervisorEvent::Kind::resumed, "libvirt: the domain runs again");
      break;
    case VIR_DOMAIN_EVENT_CRASHED:
      report(HypervisorEvent::Kind::panicked, "libvirt: the domain's guest panicked");
      break;
    default:
      break;
  }
  changed_.notify_all();
}

// A revert ends QEMU and starts another one: the domain counts as running all the time, and libvirt marks these events.
void DomainWatch::stopped(int detail) {
  if (detail == VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT) return;
  const bool was = std::exchange(active_, false);
  paused_ = false;
  if (was && asked_ != Asked::end)
    report(HypervisorEvent::Kind::ended, "libvirt: the domain stopped: " + stopped_text(detail));
}

void DomainWatch::suspended(int detail) {
  if (detail == VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT) return;
  paused_ = true;
  // Saving pauses the domain for a moment. A disk that fails meanwhile does not end with it.
  if (asked_ != Asked::nothing && detail != VIR_DOMAIN_EVENT_SUSPENDED_IOERROR) return;
  std::string text = "libvirt: the domain paused: " + suspended_text(detail);
  if (detail == VIR_DOMAIN_EVENT_SUSPENDED_IOERROR && !disk_error_.empty()) text += ": " + disk_error_;
  report(HypervisorEvent::Kind::paused, std::move(text));
}

void DomainWatch::disk_error(const std::string& path, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  disk_error_ = (reason == "enospc" ? "no space left for " : (reason.empty() ? "error" : reason) + " at ") + path;
}

void DomainWatch::connected(const void* connection, bool active, const std::string& description) {
  const std::lock_guard lock(mutex_);
  const bool again = std::exchange(was_connected_, true) && connection_ == nullptr;
  const bool was_active = std::exchange(active_, active);
  connection_ = connection;
  description_ = description;
  if (again) report(HypervisorEvent::Kind::reconnected, "libvirt: connected again to " + description);
  if (again && was_active && !active)
    report(HypervisorEvent::Kind::ended, "libvirt: the domain stopped while its daemon was away");
  changed_.notify_all();
}

void DomainWatch::lost(const void* connection, const std::string& why) {
  const std::lock_guard lock(mutex_);
  if (connection_ == connection) disconnect(why);
}

void DomainWatch::forsake(const std::string& why) {
  const std::lock_guard lock(mutex_);
  disconnect(why);
}

void DomainWatch::disconnect(const std::string& why) {
  if (std::exchange(connection_, nullptr) == nullptr) return;
  report(HypervisorEvent::Kind::unreachable, "libvirt: the connection to its daemon ended: " + why);
  changed_.notify_all();
}

void DomainWatch::found(bool active) {
  const std::lock_guard lock(mutex_);
  const bool differs = active != active_;
  if (!std::exchange(doubted_, differs) || !differs) return;
  doubted_ = false;
  active_ = active;
  if (!active) report(HypervisorEvent::Kind::ended, "libvirt: the domain is found to have stopped");
  changed_.notify_all();
}

void DomainWatch::begin_anew() {
  const std::lock_guard lock(mutex_);
  for (HypervisorEvent& event : events_) {
    using Kind = HypervisorEvent::Kind;
    if (event.kind != Kind::panicked && event.kind != Kind::paused && event.kind != Kind::ended) continue;
    event.kind = Kind::resumed;
    event.text += ", before it was put back";
  }
}

void DomainWatch::set_active(bool active) {
  const std::lock_guard lock(mutex_);
  active_ = active;
  doubted_ = false;
  changed_.notify_all();
}

bool DomainWatch::active() const {
  const std::lock_guard lock(mutex_);
  return active_;
}

bool DomainWatch::is_connected() const {
  const std::lock_guard lock(mutex_);
  return connection_ != nullptr;
}

std::string DomainWatch::description() const {
  const std::lock_guard lock(mutex_);
  return description_;
}

std::optional<HypervisorEvent> DomainWatch::take() {
  const std::lock_guard lock(mutex_);
  if (events_.empty()) return std::nullopt;
  HypervisorEvent first = std::move(events_.front());
  events_.pop_front();
  return first;
}

void DomainWatch::settle(const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline.point(), [this] {
    if (connection_ == nullptr) return true;
    return asked_ == Asked::end ? !active_ : !paused_;
  });
}

bool DomainWatch::await_end(const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline.point(), [this] { return !active_ || connection_ == nullptr; });
  return !active_;
}

void DomainWatch::report(HypervisorEvent::Kind kind, std::string text) {
  if (events_.size() == max_events) events_.pop_front();
  events_.push_back({kind, std::move(text)});
}

}  // namespace pbotvm::libvirt

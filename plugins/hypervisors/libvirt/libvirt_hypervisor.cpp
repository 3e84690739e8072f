// SPDX-License-Identifier: MIT
#include "libvirt_hypervisor.h"

#include <Poco/Logger.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "domain_calls.h"
#include "domain_xml.h"

namespace pbotvm::libvirt {
namespace {

using namespace std::chrono_literals;

constexpr mode_t directory_mode = 0750;
constexpr auto settle_time = 2s;      // for events that come after the answer
constexpr auto destroy_reserve = 2s;  // of a stop's deadline, for a guest that does not shut down

Poco::Logger& log() {
  return Poco::Logger::get("libvirt");
}

Deadline settling(const Deadline& deadline) {
  return earlier(Deadline::in(settle_time), deadline);
}

}  // namespace

LibvirtHypervisor::LibvirtHypervisor(MachineSettings machine, LibvirtSettings settings, std::shared_ptr<EventLoop> loop)
    : machine_(std::move(machine)),
      settings_(std::move(settings)),
      loop_(std::move(loop)),
      watch_(std::make_shared<DomainWatch>()),
      worker_({settings_.uri, machine_.domain, machine_.snapshot}, watch_) {}

LibvirtHypervisor::~LibvirtHypervisor() = default;

Started LibvirtHypervisor::start(const Deadline& deadline) {
  was_started_ = true;
  make_directory();
  const DomainWatch::Asking asking(*watch_, DomainWatch::Asked::start);
  const StartedDomain started =
      worker_.call(deadline, "start domain '" + machine_.domain + "'",
                   [name = machine_.snapshot](Connection& connection) { return start_domain(connection, name); });
  out_of_hand_ = false;
  warn_of_missing_devices(started.xml);
  watch_->settle(settling(deadline));
  watch_->begin_anew();
  return started.how;
}

/// Lines whose paths are relative lie there, and the daemon makes no directories for them.
void LibvirtHypervisor::make_directory() const {
  if (machine_.directory.empty() || ::mkdir(machine_.directory.c_str(), directory_mode) == 0 || errno == EEXIST) return;
  throw Error(ErrorCode::unavailable, errno_text("make the directory " + machine_.directory, errno));
}

void LibvirtHypervisor::warn_of_missing_devices(const std::string& domain_xml) {
  const std::string warning = missing_devices(domain_xml, machine_);
  if (!warning.empty() && warning != last_warning_) log().warning("%s: %s", machine_.name, warning);
  last_warning_ = warning;
}

bool LibvirtHypervisor::running() noexcept {
  if (was_started_) worker_.look_soon();
  return watch_->active() && !out_of_hand_;
}

void LibvirtHypervisor::take_snapshot(const Deadline& deadline) {
  const DomainWatch::Asking asking(*watch_, DomainWatch::Asked::save);
  worker_.call(deadline, "take snapshot '" + machine_.snapshot + "'",
               [name = machine_.snapshot](Connection& connection) { replace_snapshot(connection, name); });
  watch_->settle(settling(deadline));
}

void LibvirtHypervisor::revert(const Deadline& deadline) {
  revert_as_configured(machine_.snapshot, deadline);
}

void LibvirtHypervisor::revert_as_configured(const std::string& name, const Deadline& deadline) {
  const DomainWatch::Asking asking(*watch_, DomainWatch::Asked::revert);
  out_of_hand_ = true;
  worker_.call(deadline, "revert to snapshot '" + name + "'",
               [name, deadline, fast = settings_.fast_revert](Connection& connection) {
                 if (fast) {
                   revert_domain_fast(connection, name, deadline);
                 } else {
                   revert_domain(connection, name);
                 }
               });
  out_of_hand_ = false;
  watch_->settle(settling(deadline));
  watch_->begin_anew();
}

void LibvirtHypervisor::stop(const Deadline& deadline) noexcept {
  if (!was_started_ || watch_->description().empty()) return;  // no daemon was ever reached, so nothing was started
  if (watch_->is_connected() && !watch_->active()) return;
  try {
    out_of_hand_ = true;
    const DomainWatch::Asking asking(*watch_, DomainWatch::Asked::end);
    const auto patience =
        std::clamp<std::chrono::milliseconds>(deadline.remaining() - destroy_reserve, 0ms, settings_.shutdown);
    worker_.call(deadline, "end domain '" + machine_.domain + "'",
                 [patience](Connection& connection) { stop_domain(connection, patience); });
    watch_->settle(settling(deadline));
    watch_->set_active(false);
    out_of_hand_ = false;
  } catch (const std::exception& error) {
    log().warning("%s: %s", machine_.name, std::string(error.what()));
  }
}

std::string LibvirtHypervisor::description() const {
  const std::string connected = watch_->description();
  return (connected.empty() ? "libvirt at " + settings_.uri + ", not connected yet" : connected) + ", domain " +
         machine_.domain;
}

void* LibvirtHypervisor::extension(std::string_view identifier) {
  if (identifier == HypervisorSnapshots::identifier) return static_cast<HypervisorSnapshots*>(this);
  if (identifier == HypervisorEvents::identifier) return static_cast<HypervisorEvents*>(this);
  return nullptr;
}

std::vector<Snapshot> LibvirtHypervisor::list(const Deadline& deadline) {
  return worker_.call(deadline, "list the snapshots",
                      [](Connection& connection) { return list_snapshots(connection); });
}

void LibvirtHypervisor::create(const std::string& name, const Deadline& deadline) {
  const DomainWatch::Asking asking(*watch_, DomainWatch::Asked::save);
  worker_.call(deadline, "take snapshot '" + name + "'",
               [name](Connection& connection) { create_snapshot(connection, name); });
  watch_->settle(settling(deadline));
}

void LibvirtHypervisor::revert_to(const std::string& name, const Deadline& deadline) {
  revert_as_configured(name, deadline);
}

void LibvirtHypervisor::remove(const std::string& name, const Deadline& deadline) {
  worker_.call(deadline, "delete snapshot '" + name + "'",
               [name](Connection& connection) { remove_snapshot(connection, name); });
}

std::optional<HypervisorEvent> LibvirtHypervisor::take_event() {
  return watch_->take();
}

}  // namespace pbotvm::libvirt

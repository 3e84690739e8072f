// SPDX-License-Identifier: MIT
#include "connection.h"

#include <libvirt/virterror.h>

#include <cstdlib>
#include <utility>

namespace pbotvm::libvirt {
namespace {

constexpr int keepalive_interval = 3;        // seconds
constexpr unsigned keepalive_tolerance = 3;  // answers that may be missing
constexpr std::size_t most_listed = 20;      // names in an error's text

/// What libvirt's callbacks get. Shared: libvirt lets go of it when its loop has heard that it is not wanted any more.
struct Told {
  std::shared_ptr<DomainWatch> watch;
  const void* connection;
};

void forget(void* opaque) {
  delete static_cast<Told*>(opaque);
}

DomainWatch& watch_of(void* opaque) {
  return *static_cast<Told*>(opaque)->watch;
}

void on_lifecycle(virConnectPtr, virDomainPtr, int event, int detail, void* opaque) {
  watch_of(opaque).lifecycle(event, detail);
}

void on_disk_error(virConnectPtr, virDomainPtr, const char* path, const char*, int, const char* reason, void* opaque) {
  watch_of(opaque).disk_error(path == nullptr ? "" : path, reason == nullptr ? "" : reason);
}

void on_close(virConnectPtr, int reason, void* opaque) {
  const char* why = "it was closed";
  if (reason == VIR_CONNECT_CLOSE_REASON_EOF) why = "the daemon is gone";
  if (reason == VIR_CONNECT_CLOSE_REASON_KEEPALIVE) why = "the daemon does not answer";
  if (reason == VIR_CONNECT_CLOSE_REASON_ERROR) why = "the connection failed";
  watch_of(opaque).lost(static_cast<Told*>(opaque)->connection, why);
}

std::string version_text(unsigned long version) {
  return std::to_string(version / 1000000) + "." + std::to_string(version / 1000 % 1000) + "." +
         std::to_string(version % 1000);
}

/// Names for an error's text. What cannot be listed is left out: the error itself is what matters.
template <typename Pointer, typename Name, typename Free>
std::string join_names(Pointer* items, int count, Name name, Free free) {
  std::string made;
  for (int i = 0; i < count; ++i) {
    if (static_cast<std::size_t>(i) < most_listed) made += (i == 0 ? "" : ", ") + std::string(name(items[i]));
    if (static_cast<std::size_t>(i) == most_listed) made += ", ...";
    free(items[i]);
  }
  if (count >= 0) std::free(items);
  return made;
}

std::string domain_names(virConnectPtr connection) {
  virDomainPtr* domains = nullptr;
  const int count = virConnectListAllDomains(connection, &domains, 0);
  return join_names(domains, count, virDomainGetName, virDomainFree);
}

std::string snapshot_names(virDomainPtr domain) {
  virDomainSnapshotPtr* snapshots = nullptr;
  const int count = virDomainListAllSnapshots(domain, &snapshots, 0);
  return join_names(snapshots, count, virDomainSnapshotGetName, virDomainSnapshotFree);
}

}  // namespace

Connection::Connection(Subject subject, std::shared_ptr<DomainWatch> watch, const std::atomic<bool>& given_up)
    : subject_(std::move(subject)), watch_(std::move(watch)), given_up_(given_up) {
  connection_ = virConnectOpen(subject_.uri.c_str());
  if (connection_ == nullptr) throw_last_error("connect to libvirt at " + subject_.uri, subject_);
  try {
    register_events();
    const DomainHandle found = domain();
    const int active = virDomainIsActive(found.get());
    if (active < 0) fail("ask for the state of domain '" + subject_.domain + "'");
    demand_wanted();
    watch_->connected(this, active == 1, describe());
  } catch (...) {
    end();
    throw;
  }
}

Connection::~Connection() {
  end();
}

void Connection::register_events() {
  // A driver inside this process, such as the one that tests use, has no daemon that could go away. It takes a callback
  // for that, and neither calls nor frees it.
  const bool has_daemon = virConnectSetKeepAlive(connection_, keepalive_interval, keepalive_tolerance) >= 0;
  if (!has_daemon && virGetLastErrorCode() != VIR_ERR_NO_SUPPORT)
    throw_last_error("ask libvirt for keepalive", subject_);
  if (has_daemon) {
    const auto closed = new Told{watch_, this};
    if (virConnectRegisterCloseCallback(connection_, on_close, closed, forget) < 0) delete closed;
  }
  const auto listen = [this](int event, virConnectDomainEventGenericCallback callback) {
    const DomainHandle found = domain();
    const auto shared = new Told{watch_, this};
    const int id = virConnectDomainEventRegisterAny(connection_, found.get(), event, callback, shared, forget);
    if (id >= 0) {
      callbacks_.push_back(id);
      return;
    }
    delete shared;
    throw_last_error("ask libvirt for events of domain '" + subject_.domain + "'", subject_);
  };
  listen(VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle));
  listen(VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON, VIR_DOMAIN_EVENT_CALLBACK(on_disk_error));
}

void Connection::end() noexcept {
  if (connection_ == nullptr) return;
  for (const int id : callbacks_) virConnectDomainEventDeregisterAny(connection_, id);
  watch_->lost(this, "it was closed");
  virConnectUnregisterCloseCallback(connection_, on_close);
  virConnectClose(connection_);
  connection_ = nullptr;
}

bool Connection::alive() const {
  return virConnectIsAlive(connection_) == 1;
}

void Connection::demand_wanted() const {
  if (given_up_) throw Error(ErrorCode::timed_out, "libvirt at " + subject_.uri + " answered too late");
}

void Connection::look() const {
  const int active = virDomainIsActive(domain().get());
  if (active < 0) fail("ask for the state of domain '" + subject_.domain + "'");
  if (!given_up_) watch_->found(active == 1);
}

DomainHandle Connection::domain() const {
  DomainHandle found(virDomainLookupByName(connection_, subject_.domain.c_str()));
  if (!found) {
    const int number = virGetLastErrorCode();
    const std::string text = virGetLastErrorMessage();
    throw LibvirtError("look up domain '" + subject_.domain + "'", number, text, 0, subject_,
                       number == VIR_ERR_NO_DOMAIN ? domain_names(connection_) : "");
  }
  return found;
}

SnapshotHandle Connection::snapshot(virDomainPtr domain, const std::string& name) const {
  SnapshotHandle found(virDomainSnapshotLookupByName(domain, name.c_str(), 0));
  if (!found) {
    const int number = virGetLastErrorCode();
    const std::string text = virGetLastErrorMessage();
    Subject about = subject_;
    about.snapshot = name;
    throw LibvirtError("look up snapshot '" + name + "' of domain '" + subject_.domain + "'", number, text, 0, about,
                       number == VIR_ERR_NO_DOMAIN_SNAPSHOT ? snapshot_names(domain) : "");
  }
  return found;
}

SnapshotHandle Connection::find_snapshot(virDomainPtr domain, const std::string& name) const {
  SnapshotHandle found(virDomainSnapshotLookupByName(domain, name.c_str(), 0));
  if (!found && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN_SNAPSHOT)
    fail("look up snapshot '" + name + "' of domain '" + subject_.domain + "'", name);
  return found;
}

void Connection::fail(const std::string& tried, const std::string& snapshot) const {
  Subject about = subject_;
  about.snapshot = snapshot;
  throw_last_error(tried, about);
}

// Not QEMU's version: a daemon that has just started asks QEMU for everything that it can do to tell it, for seconds.
std::string Connection::describe() const {
  unsigned long version = 0;
  virConnectGetLibVersion(connection_, &version);
  return "libvirt " + version_text(version) + " at " + subject_.uri;
}

std::vector<SnapshotHandle> all_snapshots(const Connection& connection, virDomainPtr domain) {
  virDomainSnapshotPtr* found = nullptr;
  const int count = virDomainListAllSnapshots(domain, &found, VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL);
  if (count < 0) connection.fail("list the snapshots of domain '" + connection.subject().domain + "'");
  std::vector<SnapshotHandle> made;
  for (int i = 0; i < count; ++i) made.emplace_back(found[i]);
  std::free(found);
  return made;
}

std::string take_text(char* text) {
  const std::unique_ptr<char, decltype(&std::free)> owned(text, &std::free);
  return text == nullptr ? "" : text;
}

}  // namespace pbotvm::libvirt

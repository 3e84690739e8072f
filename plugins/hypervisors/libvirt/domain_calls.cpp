// SPDX-License-Identifier: MIT
#include "domain_calls.h"

#include <libvirt/virterror.h>

#include <algorithm>

#include "domain_xml.h"
#include "fast_revert.h"

namespace pbotvm::libvirt {
namespace {

std::string in_words(const Connection& connection) {
  return "domain '" + connection.subject().domain + "'";
}

bool is_active(const Connection& connection, virDomainPtr domain) {
  const int active = virDomainIsActive(domain);
  if (active < 0) connection.fail("ask whether " + in_words(connection) + " runs");
  return active == 1;
}

SnapshotDescription describe(const Connection& connection, virDomainSnapshotPtr snapshot) {
  const std::string xml = take_text(virDomainSnapshotGetXMLDesc(snapshot, 0));
  if (xml.empty()) connection.fail("read about a snapshot of " + in_words(connection));
  return parse_snapshot(xml);
}

void demand_running(const Connection& connection, virDomainPtr domain, const std::string& what) {
  connection.watch().set_active(is_active(connection, domain));
  if (!connection.watch().active())
    throw Error(ErrorCode::unavailable, in_words(connection) + " cannot be " + what + ": it does not run");
}

/// Without memory a revert would be a boot, and the host would take a guest that boots for one that is ready.
void demand_memory(const Connection& connection, virDomainSnapshotPtr snapshot) {
  const SnapshotDescription described = describe(connection, snapshot);
  if (described.has_memory) return;
  const std::string& domain = connection.subject().domain;
  throw Error(ErrorCode::refused,
              "snapshot '" + described.name + "' of " + in_words(connection) +
                  " holds no memory: it was taken while the domain was shut off, or of its disks only",
              "delete it with 'virsh snapshot-delete " + domain + " " + described.name +
                  "'; the host takes one when it finds none");
}

void revert_to(const Connection& connection, virDomainPtr domain, virDomainSnapshotPtr snapshot,
               const std::string& name) {
  demand_memory(connection, snapshot);
  connection.demand_wanted();
  if (virDomainRevertToSnapshot(snapshot, VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING) == 0) {
    connection.watch().set_active(true);
    return;
  }
  try {
    connection.fail("revert " + in_words(connection) + " to snapshot '" + name + "'", name);
  } catch (const Error&) {
    connection.watch().set_active(virDomainIsActive(domain) == 1);  // a revert that fails half-way leaves it ended
    throw;
  }
}

}  // namespace

StartedDomain start_domain(const Connection& connection, const std::string& snapshot) {
  const DomainHandle domain = connection.domain();
  const bool active = is_active(connection, domain.get());
  const SnapshotHandle saved = connection.find_snapshot(domain.get(), snapshot);
  if (saved) {
    revert_to(connection, domain.get(), saved.get(), snapshot);
  } else {
    connection.demand_wanted();
    if (!active && virDomainCreate(domain.get()) < 0) connection.fail("start " + in_words(connection));
  }
  connection.watch().set_active(true);
  const std::string xml = take_text(virDomainGetXMLDesc(domain.get(), 0));
  if (xml.empty()) connection.fail("read the description of " + in_words(connection));
  return {saved ? Started::restored : Started::fresh, xml};
}

void create_snapshot(const Connection& connection, const std::string& name) {
  const DomainHandle domain = connection.domain();
  demand_running(connection, domain.get(), "saved");
  if (connection.find_snapshot(domain.get(), name))
    throw Error(ErrorCode::refused, in_words(connection) + " already has a snapshot '" + name + "'",
                "remove that one first, or choose another name");
  connection.demand_wanted();
  const SnapshotHandle made(virDomainSnapshotCreateXML(domain.get(), snapshot_request(name).c_str(), 0));
  if (!made) connection.fail("take snapshot '" + name + "' of " + in_words(connection), name);
}

void replace_snapshot(const Connection& connection, const std::string& name) {
  const DomainHandle domain = connection.domain();
  demand_running(connection, domain.get(), "saved");
  if (connection.find_snapshot(domain.get(), name)) remove_snapshot(connection, name);
  create_snapshot(connection, name);
}

void revert_domain(const Connection& connection, const std::string& name) {
  const DomainHandle domain = connection.domain();
  revert_to(connection, domain.get(), connection.snapshot(domain.get(), name).get(), name);
}

void revert_domain_fast(const Connection& connection, const std::string& name, const Deadline& deadline) {
  const DomainHandle domain = connection.domain();
  demand_running(connection, domain.get(), "reverted");
  connection.snapshot(domain.get(), name);  // whether it holds memory, QEMU says
  connection.demand_wanted();
  fast_revert(connection, domain.get(), name, deadline);
}

void remove_snapshot(const Connection& connection, const std::string& name) {
  const DomainHandle domain = connection.domain();
  const SnapshotHandle snapshot = connection.snapshot(domain.get(), name);
  connection.demand_wanted();
  if (virDomainSnapshotDelete(snapshot.get(), 0) < 0)
    connection.fail("delete snapshot '" + name + "' of " + in_words(connection), name);
}

std::vector<Snapshot> list_snapshots(const Connection& connection) {
  const DomainHandle domain = connection.domain();
  std::vector<Snapshot> made;
  for (const SnapshotHandle& snapshot : all_snapshots(connection, domain.get())) {
    const SnapshotDescription described = describe(connection, snapshot.get());
    const bool current = virDomainSnapshotIsCurrent(snapshot.get(), 0) == 1;
    made.push_back({.name = described.name, .taken = described.taken, .bytes = 0, .current = current});
  }
  std::ranges::stable_sort(made, {}, &Snapshot::taken);
  return made;
}

void stop_domain(const Connection& connection, std::chrono::milliseconds patience) {
  const DomainHandle domain = connection.domain();
  if (!is_active(connection, domain.get())) return;
  connection.demand_wanted();
  const bool asked = patience.count() > 0 && virDomainShutdown(domain.get()) == 0;
  if (asked && connection.watch().await_end(Deadline::in(patience))) return;
  connection.demand_wanted();
  // SIGTERM first, and SIGKILL after ten seconds. It may end by itself meanwhile.
  if (virDomainDestroy(domain.get()) < 0 && virGetLastErrorCode() != VIR_ERR_OPERATION_INVALID)
    connection.fail("end " + in_words(connection));
}

}  // namespace pbotvm::libvirt

// SPDX-License-Identifier: MIT

// How a QemuHypervisor saves its machine and puts it back. Memory and devices go into a qcow2 file that no device uses;
// disks that can be written are saved in themselves, under the same tag.

#include <Poco/DateTimeFormat.h>
#include <Poco/DateTimeFormatter.h>
#include <Poco/Timestamp.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "disk_chain.h"
#include "qemu_hypervisor.h"

namespace pbotvm::qemu {
namespace {

using nlohmann::json;

constexpr std::uint64_t snapshot_disk_size = 1024 * 1024;  // of a disk that nobody uses; the saved machine comes on top
constexpr std::size_t most_snapshots = 64;                 // of one machine: each takes as much disk as it has memory

std::string file_identity(const std::string& path) {
  struct stat status {};
  ::stat(path.c_str(), &status);
  return path + " " + std::to_string(status.st_size) + " bytes, changed " + std::to_string(status.st_mtim.tv_sec) +
         "." + std::to_string(status.st_mtim.tv_nsec);
}

std::string utc(std::int64_t nanoseconds) {
  const Poco::Timestamp point(nanoseconds / 1000);
  return Poco::DateTimeFormatter::format(point, Poco::DateTimeFormat::ISO8601_FORMAT);
}

/// A load that QEMU refuses leaves the machine stopped, and nobody knows what of it was loaded: to the caller that is
/// no refusal, after which all is as before.
template <typename Call>
void having_touched(Call call) {
  try {
    call();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::refused) throw;
    throw Error(ErrorCode::unavailable, error.what());
  }
}

void check_name(const std::string& name) {
  if (!is_snapshot_name(name))
    throw Error(ErrorCode::refused, "a snapshot cannot have this name",
                "use letters, digits and . _ - , at most " + std::to_string(longest_snapshot_name) +
                    ", a letter or digit first");
}

std::uint64_t free_mib(const std::string& directory) {
  struct statvfs status {};
  if (::statvfs(directory.c_str(), &status) != 0) return std::numeric_limits<std::uint64_t>::max();
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize / (1024 * 1024);
}

}  // namespace

/// Everything that a saved machine depends on.
std::string QemuHypervisor::stamp(const std::string& tag) const {
  std::string made = "pbotvm snapshot, format 1\n";
  made += "qemu " + file_identity(settings_.binary) + "\n" + image_.fingerprint;
  if (accel_ == Acceleration::kvm) made += "processor " + host_processor() + "\n";
  made += "tag " + tag + "\n";
  for (const Disk& disk : settings_.disks) made += "disk " + disk_identity(disk) + "\n";
  for (const std::string& argument : command_line().machine_arguments()) made += "argument " + argument + "\n";
  return made;
}

// ---- the one that the machine is reverted to by itself

void QemuHypervisor::take_snapshot(const Deadline& deadline) {
  monitor("saved");
  // Of what is saved in a disk there is one of a name: the old one is gone before the new one is whole.
  if (!snapshot_arguments({}, {})["devices"].empty()) snapshots_.forget();
  const std::string node = save(snapshots_, machine_.snapshot, deadline);
  const std::string old = std::exchange(node_, node);
  if (!old.empty()) remove_snapshot_node(old, deadline);
  note("snapshot '" + machine_.snapshot + "' taken");
}

void QemuHypervisor::revert(const Deadline& deadline) {
  monitor("reverted");
  if (node_.empty())
    throw Error(ErrorCode::refused, "machine '" + machine_.name + "' has no snapshot to go back to yet");
  try {
    load(machine_.snapshot, node_, deadline);
  } catch (const Error& error) {
    // What QEMU refused to load it will refuse again: the machine is then to be started anew. A QEMU that was killed in
    // the middle says nothing about the snapshot.
    if (error.code() == ErrorCode::refused) snapshots_.forget();
    throw;
  }
  bound_console_log();
}

// ---- those with names

std::vector<Snapshot> QemuHypervisor::list(const Deadline&) {
  std::vector<std::pair<std::int64_t, Snapshot>> found;
  const auto add = [&](const std::string& name) {
    const SnapshotStore::Facts facts = store_of(name).facts();
    found.push_back({facts.taken, {name, utc(facts.taken), facts.bytes, name == current_}});
  };
  if (snapshots_.exists()) add(machine_.snapshot);
  for (const std::string& name : SnapshotStore::further(machine_.directory))
    if (name != machine_.snapshot) add(name);
  std::ranges::sort(found, {}, [](const auto& entry) { return std::pair(entry.first, entry.second.name); });
  std::vector<Snapshot> made;
  for (auto& [taken, snapshot] : found) made.push_back(std::move(snapshot));
  return made;
}

void QemuHypervisor::create(const std::string& name, const Deadline& deadline) {
  monitor("saved");
  if (name != machine_.snapshot) check_name(name);
  if (exists(name))
    throw Error(ErrorCode::refused, "machine '" + machine_.name + "' has a snapshot '" + name + "' already",
                "remove it first, or choose another name");
  if (name == machine_.snapshot) return take_snapshot(deadline);
  if (SnapshotStore::further(machine_.directory).size() >= most_snapshots)
    throw Error(ErrorCode::refused,
                "machine '" + machine_.name + "' has " + std::to_string(most_snapshots) + " snapshots already",
                "remove one of them");
  SnapshotStore store = store_of(name);
  remove_snapshot_node(save(store, name, deadline), deadline);
  note("snapshot '" + name + "' taken");
}

void QemuHypervisor::revert_to(const std::string& name, const Deadline& deadline) {
  monitor("reverted");
  if (name == machine_.snapshot && !node_.empty()) return having_touched([&] { revert(deadline); });
  if (!exists(name)) refuse_unknown(name);
  const SnapshotStore store = store_of(name);
  if (!store.fits(stamp(name)))
    throw Error(ErrorCode::refused,
                "snapshot '" + name + "' of machine '" + machine_.name +
                    "' was taken of another machine: its settings, its image or QEMU changed since",
                "remove it and take another one");
  const std::string node = open_snapshot_node(store.file(), deadline);
  try {
    having_touched([&] { load(name, node, deadline); });
  } catch (const Error&) {
    remove_snapshot_node(node, deadline);
    throw;
  }
  remove_snapshot_node(node, deadline);
  bound_console_log();
}

void QemuHypervisor::remove(const std::string& name, const Deadline& deadline) {
  if (!exists(name)) refuse_unknown(name);
  store_of(name).remove();
  if (name == current_) current_.clear();
  if (running() && qmp_) {
    if (name == machine_.snapshot && !node_.empty()) remove_snapshot_node(std::exchange(node_, {}), deadline);
    forget_in_disks(name, deadline);
  }
  note("snapshot '" + name + "' removed");
}

SnapshotStore QemuHypervisor::store_of(const std::string& name) const {
  return name == machine_.snapshot ? snapshots_ : SnapshotStore(machine_.directory, name);
}

bool QemuHypervisor::exists(const std::string& name) const {
  return (name == machine_.snapshot || is_snapshot_name(name)) && store_of(name).exists();
}

void QemuHypervisor::refuse_unknown(const std::string& name) {
  std::string names;
  for (const Snapshot& snapshot : list(Deadline::in({}))) names += (names.empty() ? "" : ", ") + snapshot.name;
  throw Error(
      ErrorCode::refused,
      "machine '" + machine_.name + "' has no snapshot " + (is_snapshot_name(name) ? "'" + name + "'" : "of that name"),
      names.empty() ? "it has none yet" : "it has: " + names);
}

// ---- both

/// Returns the block node of the new snapshot.
std::string QemuHypervisor::save(SnapshotStore& store, const std::string& tag, const Deadline& deadline) {
  std::string node;
  try {
    store.discard_new();
    node = make_snapshot_node(store.new_file(), deadline);
    forget_in_disks(tag, deadline);
    run_job("snapshot-save", snapshot_arguments(tag, node), deadline);
    store.replace(stamp(tag));
  } catch (const Error& error) {
    const auto room = free_mib(machine_.directory);
    if (!node.empty()) remove_snapshot_node(node, deadline);
    store.discard_new();
    if (room >= settings_.memory_mib) throw;
    // QEMU calls a full disk an input/output error.
    throw Error(error.code(), error.what() + ("; " + std::to_string(room) + " MiB are free in " + machine_.directory),
                "a snapshot takes as much as the guest uses of its memory");
  }
  current_ = tag;
  return node;
}

void QemuHypervisor::load(const std::string& tag, const std::string& node, const Deadline& deadline) {
  const bool resumed = run_job("snapshot-load", snapshot_arguments(tag, node), deadline);
  // A machine that was stopped stays so.
  if (!resumed && qmp::text_at(qmp_->execute("query-status", json::object(), deadline), "status") != "running")
    qmp_->execute("cont", json::object(), deadline);
  collect_events(true);
  current_ = tag;
}

/// A job that stops the machine for a moment. Whether the machine was seen to go on.
bool QemuHypervisor::run_job(const std::string& command, const json& arguments, const Deadline& deadline) {
  collect_events();  // what came before was not its doing
  try {
    qmp_->run_job(command, arguments, deadline);
  } catch (const Error&) {
    collect_events(true);
    throw;
  }
  return collect_events(true);
}

json QemuHypervisor::snapshot_arguments(const std::string& tag, const std::string& node) const {
  json devices = json::array();
  if (!node.empty()) devices.push_back(node);
  for (const std::string& disk : command_line().writable_nodes()) devices.push_back(disk);
  return {{"tag", tag}, {"vmstate", node}, {"devices", devices}};
}

/// A disk keeps what was saved in it under a tag even when the machine that belonged to it is gone.
void QemuHypervisor::forget_in_disks(const std::string& tag, const Deadline& deadline) {
  json arguments = snapshot_arguments(tag, {});
  arguments.erase("vmstate");
  if (!arguments["devices"].empty()) run_job("snapshot-delete", arguments, deadline);
}

/// An empty qcow2 file that no device uses: there is no disk to save, only a place for memory and devices.
std::string QemuHypervisor::make_snapshot_node(const std::string& path, const Deadline& deadline) {
  qmp::QmpClient& monitor = *qmp_;
  const std::string node = std::string(snapshot_node) + std::to_string(++last_node_);
  const std::string file = node + "-file";
  monitor.run_job("blockdev-create", {{"options", {{"driver", "file"}, {"filename", path}, {"size", 0}}}}, deadline);
  monitor.execute("blockdev-add", {{"driver", "file"}, {"node-name", file}, {"filename", path}}, deadline);
  try {
    monitor.run_job("blockdev-create",
                    {{"options", {{"driver", "qcow2"}, {"file", file}, {"size", snapshot_disk_size}}}}, deadline);
    monitor.execute("blockdev-add", {{"driver", "qcow2"}, {"node-name", node}, {"file", file}}, deadline);
  } catch (const Error&) {
    remove_nodes({file}, deadline);
    throw;
  }
  return node;
}

std::string QemuHypervisor::open_snapshot_node(const std::string& path, const Deadline& deadline) {
  const std::string node = std::string(snapshot_node) + std::to_string(++last_node_);
  const std::string file = node + "-file";
  qmp_->execute("blockdev-add", {{"driver", "file"}, {"node-name", file}, {"filename", path}}, deadline);
  try {
    qmp_->execute("blockdev-add", {{"driver", "qcow2"}, {"node-name", node}, {"file", file}}, deadline);
  } catch (const Error&) {
    remove_nodes({file}, deadline);
    throw;
  }
  return node;
}

void QemuHypervisor::remove_snapshot_node(const std::string& node, const Deadline& deadline) {
  remove_nodes({node, node + "-file"}, deadline);
}

void QemuHypervisor::remove_nodes(const std::vector<std::string>& nodes, const Deadline& deadline) {
  try {
    for (const std::string& node : nodes) qmp_->execute("blockdev-del", {{"node-name", node}}, deadline);
  } catch (const Error& error) {
    warn(std::string("cannot let go of a snapshot that is no longer used: ") + error.what());
  }
}

}  // namespace pbotvm::qemu

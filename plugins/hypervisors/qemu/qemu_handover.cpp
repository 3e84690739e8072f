// SPDX-License-Identifier: MIT

// How a QemuHypervisor leaves its QEMU to the next host, and takes over what an earlier host left: on purpose, or as it
// was killed. Only what is known to be that very process is touched, and only what is just as it would be started now
// is kept.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <regex>

#include "qemu_hypervisor.h"

namespace pbotvm::qemu {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr auto adoption_time = 15s;  // for all that is asked of a QEMU that was found; a new one starts in less
constexpr auto end_grace = 2s;       // for one that is not kept, to end by itself
constexpr auto end_time = 5s;

/// Names that the host gives, see QmpClient::run_job() and make_snapshot_node().
bool is_own_job(const std::string& id) {
  return std::regex_match(id, std::regex("job[0-9]+"));
}
bool is_own_node(const std::string& name) {
  return std::regex_match(name, std::regex("snapshot[0-9]*(-file)?"));
}

}  // namespace

bool QemuHypervisor::leave() noexcept {
  try {
    // Without a snapshot to put it back to nobody could take it over.
    if (!settings_.outlive || !qmp_ || node_.empty() || !running()) return false;
    note("left to the next host, " + description());
    process_->let_go();
    forget_process();
    return true;
  } catch (const std::exception& error) {
    warn(std::string("cannot be left to the next host: ") + error.what());
    return false;
  }
}

/// All that a QEMU is started for: what the guest can notice of it, and what only this system can.
std::string QemuHypervisor::purpose() const {
  std::string made = stamp(machine_.snapshot);
  for (const std::string& argument : command_line().arguments()) made += "argument " + argument + "\n";
  for (const Endpoint* endpoint : {&machine_.serial, &machine_.heart, &machine_.virtio_serial})
    made += "line " + endpoint->text() + "\n";
  for (const Endpoint& endpoint : settings_.serials) made += "line " + endpoint.text() + "\n";
  for (const Nic& nic : settings_.nics) made += "bridge " + nic.bridge + "\n";
  return made;
}

/// Whether a QEMU of an earlier host runs on as this machine, put back to its snapshot. Where that cannot be, there is
/// none of an earlier host when this comes back. Throws Error{unavailable} when one cannot be ended.
bool QemuHypervisor::take_over(const Deadline& deadline) {
  const auto left = qmp::read_left_qemu(pid_file_);
  UniqueFd pidfd = left ? qmp::open_left_qemu(*left) : UniqueFd();
  if (!pidfd) {
    ::unlink(pid_file_.c_str());
    return false;
  }
  const UniqueFd watch(::fcntl(pidfd.get(), F_DUPFD_CLOEXEC, 0));
  process_ = std::make_unique<QemuProcess>(left->pid, std::move(pidfd));
  std::string why = reason_to_end(*left);
  try {
    if (why.empty()) {
      adopt(*left, earlier(Deadline::in(adoption_time), deadline));
      note("taken over from an earlier host, " + description());
      return true;
    }
  } catch (const Error& error) {
    why = error.what();
  }
  warn("its QEMU, pid " + std::to_string(left->pid) + ", which an earlier host left, is ended: " + why);
  qmp_.reset();
  if (!qmp::end_process(watch, end_grace, Deadline::in(end_time))) {
    process_->let_go();
    forget_process();
    throw Error(ErrorCode::unavailable,
                "machine '" + machine_.name + "': QEMU, pid " + std::to_string(left->pid) +
                    ", which an earlier host left, cannot be ended",
                "end it: kill -9 " + std::to_string(left->pid) + "; until then the machine does not start");
  }
  end_process(Deadline::in(0ms));
  return false;
}

/// Empty when it is what would be started now.
std::string QemuHypervisor::reason_to_end(const qmp::LeftQemu& left) const {
  if (!settings_.outlive) return "outlive is no longer set";
  if (left.purpose != purpose()) return "settings, image or QEMU changed since it was started";
  if (!snapshots_.fits(stamp(machine_.snapshot))) return "there is no snapshot to put it back to";
  return {};
}

void QemuHypervisor::adopt(const qmp::LeftQemu& left, const Deadline& deadline) {
  qmp_.emplace(connect_endpoint(monitor_socket_, deadline), process_->pidfd(), deadline);
  check_monitor(left, deadline);
  clear_left_jobs(deadline);
  remove_left_nodes(deadline);
  // The node is made anew, as only the file of this name is known to be whole.
  node_ = open_snapshot_node(snapshots_.file(), deadline);
  load(machine_.snapshot, node_, deadline);
}

/// The socket might be another QEMU's.
void QemuHypervisor::check_monitor(const qmp::LeftQemu& left, const Deadline& deadline) {
  if (!qmp::has_identity(*qmp_, left.identity, deadline))
    throw Error(ErrorCode::protocol, "what answers on " + monitor_socket_.text() + " is another QEMU");
}

/// What an earlier host left unfinished. Those of an operator are not the host's.
void QemuHypervisor::clear_left_jobs(const Deadline& deadline) {
  for (const json& job : qmp_->execute("query-jobs", json::object(), deadline)) {
    const std::string id = qmp::text_at(job, "id");
    if (!is_own_job(id)) continue;
    if (qmp::text_at(job, "status") != "concluded")
      throw Error(ErrorCode::refused, "it is still busy with a " + qmp::text_at(job, "type") + " of that host");
    qmp_->execute("job-dismiss", {{"id", id}}, deadline);
  }
}

void QemuHypervisor::remove_left_nodes(const Deadline& deadline) {
  std::vector<std::string> names;
  for (const json& node : qmp_->execute("query-named-block-nodes", {{"flat", true}}, deadline))
    if (const std::string name = qmp::text_at(node, "node-name"); is_own_node(name)) names.push_back(name);
  // A node comes before the one with its file, which it uses.
  std::ranges::sort(names, {}, [](const std::string& name) { return name.ends_with("-file"); });
  for (const std::string& name : names) qmp_->execute("blockdev-del", {{"node-name", name}}, deadline);
}

}  // namespace pbotvm::qemu

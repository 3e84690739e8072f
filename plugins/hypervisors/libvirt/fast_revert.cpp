// SPDX-License-Identifier: MIT
#include "fast_revert.h"

#include <libvirt/libvirt-qemu.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

namespace pbotvm::libvirt {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr auto job_look = 5ms;
constexpr std::size_t most_answer = 4 * 1024 * 1024;
constexpr const char* remedy = "set hypervisor.fast_revert: false, or take the snapshot anew";

/// Talks to the domain's QEMU through libvirt.
class Monitor {
 public:
  Monitor(const Connection& connection, virDomainPtr domain) : connection_(connection), domain_(domain) {}

  json execute(const std::string& command, const json& arguments = json::object()) const {
    const std::string line = json{{"execute", command}, {"arguments", arguments}}.dump();
    char* said = nullptr;
    if (virDomainQemuMonitorCommand(domain_, line.c_str(), &said, VIR_DOMAIN_QEMU_MONITOR_COMMAND_DEFAULT) < 0)
      connection_.fail("tell QEMU of domain '" + connection_.subject().domain + "' " + command);
    const std::string text = take_text(said);
    if (text.size() > most_answer) throw Error(ErrorCode::protocol, "QEMU's answer to " + command + " is too long");
    const json answer = json::parse(text, nullptr, false);
    if (answer.is_object() && answer.contains("return")) return answer["return"];
    const json error = answer.is_object() ? answer.value("error", json::object()) : json::object();
    throw Error(ErrorCode::refused, "QEMU refuses " + command + ": " + error.value("desc", "no reason given"), remedy);
  }

 private:
  const Connection& connection_;
  virDomainPtr domain_;
};

struct SavedNodes {
  std::vector<std::string> all;  // block nodes that have the snapshot
  std::string memory;            // the one that holds the machine's memory as well
};

/// Which disks the snapshot is in, told by QEMU: libvirt's numbering of the nodes changes with the domain's disks.
SavedNodes find_nodes(const Monitor& monitor, const std::string& snapshot) {
  SavedNodes found;
  for (const json& node : monitor.execute("query-named-block-nodes", {{"flat", true}})) {
    if (node.value("ro", true) || !node.contains("image")) continue;
    const json saved = node["image"].value("snapshots", json::array());
    const auto one = std::ranges::find_if(saved, [&](const json& s) { return s.value("name", "") == snapshot; });
    if (one == saved.end()) continue;
    const std::string name = node.value("node-name", "");
    found.all.push_back(name);
    if (one->value("vm-state-size", std::uint64_t{0}) > 0) found.memory = name;
  }
  if (found.memory.empty())
    throw Error(ErrorCode::refused, "no disk of the running QEMU holds a snapshot '" + snapshot + "' with memory",
                remedy);
  return found;
}

/// What the job ended with, empty for success; nothing while it runs.
std::optional<std::string> job_end(const Monitor& monitor, const std::string& id) {
  for (const json& job : monitor.execute("query-jobs")) {
    if (job.value("id", "") != id) continue;
    if (job.value("status", "") != "concluded") return std::nullopt;
    return job.value("error", "");
  }
  return "the job is gone";
}

void wait_for_job(const Monitor& monitor, const std::string& id, const std::string& what, const Deadline& deadline) {
  std::optional<std::string> end;
  while (!(end = job_end(monitor, id))) {
    if (deadline.expired()) throw Error(ErrorCode::timed_out, what + " did not end in time", remedy);
    std::this_thread::sleep_for(job_look);  // libvirt keeps QEMU's events about jobs to itself
  }
  if (*end != "the job is gone") monitor.execute("job-dismiss", {{"id", id}});
  if (!end->empty()) throw Error(ErrorCode::refused, what + ": " + *end, remedy);
}

}  // namespace

void fast_revert(const Connection& connection, virDomainPtr domain, const std::string& snapshot,
                 const Deadline& deadline) {
  const Monitor monitor(connection, domain);
  const SavedNodes nodes = find_nodes(monitor, snapshot);
  const std::string id = "pbotvm-load-" + std::to_string(Deadline::Clock::now().time_since_epoch().count());
  monitor.execute("snapshot-load",
                  {{"job-id", id}, {"tag", snapshot}, {"vmstate", nodes.memory}, {"devices", nodes.all}});
  wait_for_job(monitor, id, "QEMU's job snapshot-load of snapshot '" + snapshot + "'", deadline);
  int state = 0;
  if (virDomainGetState(domain, &state, nullptr, 0) < 0) connection.fail("ask for the domain's state", snapshot);
  // QEMU leaves a machine that stood still before the job standing still.
  if (state == VIR_DOMAIN_PAUSED && virDomainResume(domain) < 0) connection.fail("let the domain run on", snapshot);
}

}  // namespace pbotvm::libvirt

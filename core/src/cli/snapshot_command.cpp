// SPDX-License-Identifier: MIT
#include "cli/snapshot_command.h"

#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/control_client.h"
#include "pbotvm/deadline.h"
#include "pbotvm/error.h"
#include "pbotvm/hypervisor.h"
#include "plugin/guard.h"
#include "plugin/registry.h"
#include "service/assembly.h"

namespace pbotvm::cli {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr int not_served = 1;
constexpr std::size_t max_name = 64;
constexpr char name_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
constexpr auto change_patience = 180s;  // a machine's whole memory is written, and running jobs end first

struct Wish {
  std::string action, name;

  bool lists() const { return action == "list"; }
};

std::string row(const json& snapshot) {
  const std::string taken = snapshot.value("taken", "");
  const auto bytes = snapshot.value("bytes", std::uint64_t{0});
  return snapshot.value("name", "?") + "  " + (taken.empty() ? "-" : taken) + "  " +
         (bytes == 0 ? "-" : std::to_string(bytes / 1024 / 1024) + " MiB") +
         (snapshot.value("current", false) ? "  current" : "");
}

int show(const Wish& wish, const std::string& machine, const json& snapshots, bool as_json) {
  if (!wish.lists()) {
    const char* done = wish.action == "create"   ? "was taken"
                       : wish.action == "revert" ? "is what it runs from"
                                                 : "is deleted";
    std::cout << machine << ": snapshot " << wish.name << ' ' << done << '\n';
  } else if (as_json) {
    std::cout << snapshots.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
  } else {
    for (const auto& one : snapshots) std::cout << row(one) << '\n';
    if (snapshots.empty()) std::cout << machine << ": it has no snapshots\n";
  }
  return 0;
}

int through_host(const config::Configuration& configuration, const std::string& machine, const Wish& wish,
                 bool as_json) {
  json command = {{"command", "snapshot"}, {"machine", machine}, {"action", wish.action}};
  if (!wish.name.empty()) command["name"] = wish.name;
  const json answer = ask_host(configuration.state, command, change_patience);
  if (answer.value("ok", false)) return show(wish, machine, answer.value("snapshots", json::array()), as_json);
  std::cerr << "pbotvm: " << refusal_of(answer) << '\n';
  return not_served;
}

json as_json_array(const std::vector<Snapshot>& snapshots) {
  json all = json::array();
  for (const auto& one : snapshots)
    all.push_back({{"name", one.name}, {"taken", one.taken}, {"bytes", one.bytes}, {"current", one.current}});
  return all;
}

json obey(HypervisorSnapshots& snapshots, const Wish& wish) {
  const auto deadline = Deadline::in(change_patience);
  if (wish.action == "create") snapshots.create(wish.name, deadline);
  if (wish.action == "revert") snapshots.revert_to(wish.name, deadline);
  if (wish.action == "delete") snapshots.remove(wish.name, deadline);
  return wish.lists() ? as_json_array(snapshots.list(deadline)) : json::array();
}

int through_back_end(const config::Configuration& configuration, const config::MachineConfiguration& machine,
                     const Wish& wish, bool as_json) {
  const auto& choice = machine.hypervisor;
  const std::string& name = machine.settings.name;
  if (choice.plugin == "qemu")
    throw Error(ErrorCode::unavailable, "machine '" + name + "' is of the hypervisor qemu and lives in pbotvm-host",
                "start pbotvm-host, then ask again");
  const plugin::Registry plugins(configuration.plugins);
  auto& factory =
      service::look_up(name, "hypervisor", [&]() -> HypervisorFactory& { return plugins.hypervisor(choice.plugin); });
  const auto hypervisor = plugin::guarded({"hypervisor", choice.plugin, "create"},
                                          [&] { return factory.create(machine.settings, choice.settings); });
  const json snapshots = plugin::guarded({"hypervisor", choice.plugin, wish.action}, [&] {
    auto* extension = static_cast<HypervisorSnapshots*>(hypervisor->extension(HypervisorSnapshots::identifier));
    if (extension == nullptr)
      throw Error(ErrorCode::refused, "this hypervisor keeps no named snapshots", "qemu and libvirt do");
    return obey(*extension, wish);
  });
  return show(wish, name, snapshots, as_json);
}

Wish wish_of(const Options& options) {
  Wish wish{options.operand(0), {}};
  if (options.operands().size() > (wish.lists() ? 2u : 3u)) throw UsageError("list takes one machine");
  if (wish.lists()) return wish;
  if (wish.action != "create" && wish.action != "revert" && wish.action != "delete")
    throw UsageError("snapshot knows list, create, revert and delete, not '" + wish.action + "'");
  if (options.has("--json")) throw UsageError("--json is an option of list");
  wish.name = options.operand(1);
  if (wish.name.empty()) throw UsageError("the name of the snapshot is missing");
  // What virsh named otherwise can still be gone back to, and deleted.
  if (wish.action == "create" &&
      (wish.name.size() > max_name || wish.name.find_first_not_of(name_characters) != std::string::npos))
    throw UsageError("a snapshot is named with letters, digits and . _ - , at most 64 of them");
  return wish;
}

}  // namespace

int run_snapshot(const Invocation& invocation) {
  const Options options(invocation.words, {"--json"}, 3);
  const Wish wish = wish_of(options);
  const auto configuration = load_configuration(invocation.file);
  const auto& machine = machine_of(configuration, options.operand(wish.lists() ? 1 : 2));
  const auto& name = machine.settings.name;
  if (!holding_host(configuration.state, name).is_null())
    return through_host(configuration, name, wish, options.has("--json"));
  return through_back_end(configuration, machine, wish, options.has("--json"));
}

}  // namespace pbotvm::cli

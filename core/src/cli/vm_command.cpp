// SPDX-License-Identifier: MIT
#include "cli/vm_command.h"

#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/control_client.h"
#include "cli/virsh.h"
#include "cli/vm_create.h"
#include "cli/vm_delete.h"
#include "cli/vm_left.h"
#include "pbotvm/error.h"

namespace pbotvm::cli {

namespace {

using config::MachineConfiguration;
using nlohmann::json;

// "ready, held by pbotvm-host, process 7: QEMU 7.2.22, tcg"
std::string held_text(const json& host, const std::string& name) {
  for (const auto& one : host["machines"]) {
    if (one.value("name", "") != name) continue;
    const std::string problem = one.value("problem", "");
    return one.value("state", "unknown") + ", held by pbotvm-host, process " + host.value("pid", json()).dump() + ": " +
           one.value("hypervisor", "") + (problem.empty() ? "" : "; " + problem);
  }
  return "unknown";
}

std::string state_text(const config::Configuration& configuration, const MachineConfiguration& machine) {
  const json host = holding_host(configuration.state, machine.settings.name);
  if (!host.is_null()) return held_text(host, machine.settings.name);
  if (machine.hypervisor.plugin == "libvirt")
    return Virsh(machine).state() + ", domain " + machine.settings.domain + " of " + Virsh::uri_of(machine);
  if (const auto left = LeftMachine::find(configuration, machine))
    return "running, QEMU process " + std::to_string(left->pid()) + "; no pbotvm-host holds it";
  if (machine.hypervisor.plugin == "qemu") return "not running: no pbotvm-host holds it";
  return "its hypervisor " + machine.hypervisor.plugin + " knows";
}

// A machine that cannot be asked about does not hide the others.
int list(const config::Configuration& configuration) {
  int status = 0;
  for (const auto& machine : configuration.machines) {
    try {
      const std::string state = state_text(configuration, machine);
      std::cout << machine.settings.name << ": " << state << '\n';
    } catch (const Error& e) {
      std::cout << machine.settings.name << ": unknown: " << e.what() << '\n';
      status = 1;
    }
  }
  return status;
}

[[noreturn]] void not_ours(const MachineConfiguration& machine, const std::string& command) {
  const std::string& name = machine.settings.name;
  if (machine.hypervisor.plugin == "qemu")
    throw Error(ErrorCode::refused, "machine '" + name + "' is of the hypervisor qemu and lives in pbotvm-host",
                "start pbotvm-host, which starts it");
  throw Error(
      ErrorCode::refused,
      "machine '" + name + "' is of the hypervisor " + machine.hypervisor.plugin + ", which pbotvm cannot " + command,
      "do it as it was set up");
}

int end_left(const MachineConfiguration& machine, const LeftMachine& left, const std::string& command) {
  const bool asks = command == "stop";
  asks ? left.ask_to_stop() : left.end();
  std::cout << machine.settings.name << ": "
            << (asks ? "its guest was asked to shut down; see pbotvm vm status" : "ended") << '\n';
  return 0;
}

int does_not_run(const std::string& name) {
  std::cout << name << ": does not run\n";
  return 0;
}

int change(const config::Configuration& configuration, const MachineConfiguration& machine,
           const std::string& command) {
  const json host = holding_host(configuration.state, machine.settings.name);
  if (!host.is_null())
    throw Error(
        ErrorCode::refused,
        "machine '" + machine.settings.name + "' is held by pbotvm-host, process " + host.value("pid", json()).dump() +
            ", which starts it again when it ends",
        "end that host first, or take the machine back to its snapshot: pbotvm revert " + machine.settings.name);
  if (command != "start") {
    if (const auto left = LeftMachine::find(configuration, machine)) return end_left(machine, *left, command);
    if (machine.hypervisor.plugin == "qemu") return does_not_run(machine.settings.name);
  }
  if (machine.hypervisor.plugin != "libvirt") not_ours(machine, command);
  const Virsh virsh(machine);
  const std::string state = virsh.state();
  if (command == "start" && state == "running") {
    std::cout << machine.settings.domain << ": runs already\n";
    return 0;
  }
  if (command == "start" && state == "paused")
    throw Error(ErrorCode::refused, "domain '" + machine.settings.domain + "' runs already, but is paused",
                "let it go on: virsh -c " + Virsh::uri_of(machine) + " resume " + machine.settings.domain);
  if (command != "start" && state == "shut off") return does_not_run(machine.settings.domain);
  command == "start" ? virsh.start() : virsh.stop(command == "destroy");
  std::cout << machine.settings.domain << ": "
            << (command == "start"  ? "started"
                : command == "stop" ? "its guest was asked to shut down; see pbotvm vm status"
                                    : "ended")
            << '\n';
  return 0;
}

[[noreturn]] void open_console(const config::Configuration& configuration, const MachineConfiguration& machine) {
  if (machine.hypervisor.plugin == "libvirt")
    become({"virsh", "-c", Virsh::uri_of(machine), "console", machine.settings.domain},
           "install it (Debian: libvirt-clients)");
  if (machine.hypervisor.plugin != "qemu") not_ours(machine, "open a console of");
  const auto socket = configuration.state / machine.settings.directory / "console.sock";
  if (!std::filesystem::exists(socket))
    throw Error(ErrorCode::unavailable, "there is no " + socket.string() + ": the machine does not run",
                "start pbotvm-host, or name its state directory with PBOTVM_STATE");
  // By its short name: a socket's path has room for 107 bytes only.
  std::filesystem::current_path(socket.parent_path());
  std::cerr << "Ctrl-] leaves the console of " << machine.settings.name << std::endl;
  become({"socat", "-,raw,echo=0,escape=0x1d", "unix:console.sock"}, "install it: apt-get install socat");
}

}  // namespace

int run_vm(const Invocation& invocation) {
  const Words& words = invocation.words;
  if (!words.empty() && words[0] == "create") return run_vm_create({invocation.file, {words.begin() + 1, words.end()}});
  if (!words.empty() && words[0] == "delete") return run_vm_delete({invocation.file, {words.begin() + 1, words.end()}});
  const Options options(invocation.words, {}, 2);
  const std::string command = options.operand(0);
  const auto configuration = load_configuration(invocation.file);
  if (command.empty()) throw UsageError("vm needs a command");
  if (command == "list") {
    if (options.operands().size() > 1) throw UsageError("list takes no machine; status does");
    return list(configuration);
  }
  if (command != "status" && command != "start" && command != "stop" && command != "destroy" && command != "console")
    throw UsageError("vm knows create, list, status, start, stop, destroy, console and delete, not '" + command + "'");
  const auto& machine = machine_of(configuration, options.operand(1));
  if (command == "console") open_console(configuration, machine);
  if (command != "status") return change(configuration, machine, command);
  const std::string state = state_text(configuration, machine);
  std::cout << machine.settings.name << ": " << state << '\n';
  return 0;
}

}  // namespace pbotvm::cli

// SPDX-License-Identifier: MIT

// What the processor and the kernel give.

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "cli/doctor/check.h"
#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::cli::doctor {

namespace {

using State = Finding::State;

// The processor's flag for hardware virtualisation; empty where it has none.
std::string virtualisation_flag(const System& system) {
  std::ifstream file(system.root / "proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("flags")) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      if (word == "vmx" || word == "svm") return word;
    }
    break;
  }
  return {};
}

// 0, or why it cannot be opened.
int open_device(const std::filesystem::path& path) {
  const UniqueFd device(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  return device ? 0 : errno;
}

bool needs_kvm(const config::Configuration& configuration) {
  return std::ranges::any_of(configuration.machines, [](const auto& machine) {
    const auto accel = machine.hypervisor.settings.find("accel");
    return accel && accel->is_scalar() && accel->text() == "kvm";
  });
}

bool asks_for(const config::MachineConfiguration& machine, const char* transport) {
  return machine.transports_named &&
         std::ranges::any_of(machine.transports, [&](const auto& choice) { return choice.plugin == transport; });
}

// Machines that cannot do without VM sockets, and whether any may use them.
bool only_vsock(const config::Configuration& configuration) {
  return std::ranges::any_of(configuration.machines, [](const auto& machine) {
    return asks_for(machine, "vsock") && machine.transports.size() == 1 && machine.settings.cid > 2;
  });
}

bool named_in(const std::filesystem::path& file, const std::string& module) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    line = line.substr(0, line.find(':'));
    if (std::filesystem::path(line).filename().string().starts_with(module + ".ko")) return true;
  }
  return false;
}

Finding check_module(const System& system, const std::string& module, State when_missing, const std::string& use) {
  const std::string check = "kernel module " + module;
  if (std::filesystem::exists(system.root / "sys/module" / module)) return {State::ok, check, "loaded"};
  std::ifstream loaded(system.root / "proc/modules");
  for (std::string line; std::getline(loaded, line);) {
    if (line.starts_with(module + " ")) return {State::ok, check, "loaded"};
  }
  const auto folder = system.root / "lib/modules" / system.kernel;
  if (named_in(folder / "modules.builtin", module)) return {State::ok, check, "built into the kernel"};
  if (named_in(folder / "modules.dep", module))
    return {when_missing, check, "not loaded, " + use,
            "modprobe " + module + "; for every boot: echo " + module + " > /etc/modules-load.d/pbotvm.conf"};
  return {when_missing, check, "not there for kernel " + system.kernel + ", " + use,
          "install the distribution's full kernel, not one for clouds or containers"};
}

}  // namespace

Finding check_processor(const System& system) {
  const std::string check = "hardware virtualisation", flag = virtualisation_flag(system);
  if (!flag.empty()) return {State::ok, check, "the processor has " + flag};
  return {State::warn, check, "the processor shows neither vmx nor svm: machines are emulated, many times slower",
          "turn it on in the firmware (VT-x, AMD-V), or nested virtualisation where this is a virtual machine"};
}

Finding check_kvm(const System& system, const config::Configuration& configuration) {
  const State bad = needs_kvm(configuration) ? State::fail : State::warn;
  const int error = open_device(system.root / "dev/kvm");
  if (error == ENOENT)
    return {bad, "KVM", "there is no /dev/kvm", "modprobe kvm_intel or kvm_amd; without it machines are emulated"};
  if (error != 0)
    return {bad, "KVM", errno_text("/dev/kvm", error), "adduser " + system.user_name + " kvm, then log in again"};
  if (virtualisation_flag(system).empty())
    return {bad, "KVM", "/dev/kvm opens, but the processor has no virtualisation: machines are emulated",
            "see hardware virtualisation"};
  return {State::ok, "KVM", "/dev/kvm can be used"};
}

Findings check_modules(const System& system, const config::Configuration& configuration) {
  const State vsock = only_vsock(configuration) ? State::fail : State::warn;
  return {check_module(system, "kvm", needs_kvm(configuration) ? State::fail : State::warn,
                       "machines are emulated without it"),
          check_module(system, "vhost_vsock", vsock, "no VM sockets without it; machines use their other lines"),
          check_module(system, "tun", State::warn, "only machines on a network bridge need it")};
}

Finding check_vsock(const System& system, const config::Configuration& configuration) {
  const std::string check = "VM sockets";
  const bool unused = std::ranges::all_of(configuration.machines, [](const auto& machine) {
    return machine.settings.cid == 0 || (machine.transports_named && !asks_for(machine, "vsock"));
  });
  if (unused) return {State::ok, check, "no machine uses them"};
  const State bad = only_vsock(configuration) ? State::fail : State::warn;
  const int error = open_device(system.root / "dev/vhost-vsock");
  if (error == ENOENT)
    return {bad, check, "there is no /dev/vhost-vsock; machines use their other lines", "modprobe vhost_vsock"};
  if (error != 0)
    return {bad, check, errno_text("/dev/vhost-vsock", error),
            "adduser " + system.user_name + " kvm, then log in again; a host that root starts opens it by itself"};
  return {State::ok, check, "/dev/vhost-vsock can be opened"};
}

}  // namespace pbotvm::cli::doctor

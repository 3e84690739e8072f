// SPDX-License-Identifier: MIT

// The programs that machines are run with.

#include <algorithm>
#include <chrono>
#include <future>

#include "cli/doctor/check.h"
#include "cli/program.h"
#include "pbotvm/deadline.h"

namespace pbotvm::cli::doctor {

namespace {

using namespace std::chrono_literals;
using State = Finding::State;

constexpr auto patience = 800ms;  // all of this command takes less than a second

struct Program {
  std::string check;
  std::vector<std::string> paths;  // tried in order: daemons are not in everybody's PATH
  std::string package;             // Debian's
  bool needed;
};

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

Finding look_at(const Program& program) {
  for (const auto& path : program.paths) {
    const auto end = run_program({path, "--version"}, Deadline::in(patience));
    if (!end.found) continue;
    const State bad = program.needed ? State::fail : State::warn;
    if (end.timed_out) return {State::warn, program.check, path + " did not say its version in time", "try again"};
    if (end.status != 0)
      return {bad, program.check, path + " failed: " + first_line(end.err), "install " + program.package + " again"};
    return {State::ok, program.check, first_line(end.out)};
  }
  if (!program.needed) return {State::ok, program.check, "not installed; no configured machine needs it"};
  return {State::fail, program.check, "not installed", "apt-get install " + program.package};
}

bool uses(const config::Configuration& configuration, const std::string& hypervisor) {
  return std::ranges::any_of(configuration.machines,
                             [&](const auto& machine) { return machine.hypervisor.plugin == hypervisor; });
}

std::string qemu_binary(const config::Configuration& configuration) {
  for (const auto& machine : configuration.machines) {
    if (machine.hypervisor.plugin != "qemu") continue;
    const auto binary = machine.hypervisor.settings.find("binary");
    if (binary && binary->is_scalar()) return binary->text();
  }
  return "qemu-system-x86_64";
}

}  // namespace

Findings check_programs(const config::Configuration& configuration) {
  const bool libvirt = uses(configuration, "libvirt");
  const std::vector<Program> programs = {
      {"QEMU", {qemu_binary(configuration)}, "qemu-system-x86", uses(configuration, "qemu") || libvirt},
      {"libvirtd", {"libvirtd", "/usr/sbin/libvirtd"}, "libvirt-daemon-system", false},
      {"virsh", {"virsh"}, "libvirt-clients", false}};
  std::vector<std::future<Finding>> looks;
  for (const auto& program : programs)
    looks.push_back(std::async(std::launch::async, [&program] { return look_at(program); }));
  Findings findings;
  for (auto& look : looks) findings.push_back(look.get());
  if (libvirt && findings[1].found.starts_with("not installed")) {
    findings[1].state = State::warn;  // another daemon (virtqemud) or another system may serve its URI
    findings[1].found = "not installed";
    findings[1].remedy = "apt-get install libvirt-daemon-system, unless virtqemud or another system serves the URI";
  }
  return findings;
}

}  // namespace pbotvm::cli::doctor

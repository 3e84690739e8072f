// SPDX-License-Identifier: MIT

// Who may do what.

#include <pwd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "cli/doctor/check.h"

namespace pbotvm::cli::doctor {

namespace {

using State = Finding::State;

// Members that /etc/group lists; nothing where there is no such group.
std::optional<std::vector<std::string>> members(const System& system, const std::string& group) {
  std::ifstream file(system.root / "etc/group");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(group + ":")) continue;
    std::istringstream names(line.substr(line.rfind(':') + 1));
    std::vector<std::string> found;
    for (std::string name; std::getline(names, name, ',');) found.push_back(name);
    return found;
  }
  return std::nullopt;
}

bool uses(const config::Configuration& configuration, const char* hypervisor) {
  return std::ranges::any_of(configuration.machines,
                             [&](const auto& machine) { return machine.hypervisor.plugin == hypervisor; });
}

Finding check_group(const System& system, const std::string& group, bool needed, const std::string& package,
                    const std::string& use) {
  const std::string check = "group " + group;
  if (system.user == 0) return {State::ok, check, "you are root, who needs none"};
  if (std::ranges::find(system.groups, group) != system.groups.end())
    return {State::ok, check, "you (" + system.user_name + ") are in it"};
  const auto listed = members(system, group);
  if (!listed)
    return {needed ? State::warn : State::ok, check, "there is none; " + use,
            needed ? "apt-get install " + package + ", which brings it" : ""};
  if (std::ranges::find(*listed, system.user_name) != listed->end())
    return {State::warn, check, "you are in it, but not in this session", "log out and in again"};
  return {needed ? State::warn : State::ok, check, "you (" + system.user_name + ") are not in it; " + use,
          needed ? "adduser " + system.user_name + " " + group + ", then log in again" : ""};
}

}  // namespace

Findings check_groups(const System& system, const config::Configuration& configuration) {
  Findings findings = {check_group(system, "kvm", uses(configuration, "qemu"), "udev", "it may use /dev/kvm"),
                       check_group(system, "libvirt", uses(configuration, "libvirt"), "libvirt-daemon-system",
                                   "it may manage the system's libvirt domains")};
  if (system.user == 0) {
    const bool there = ::getpwnam(configuration.user.c_str()) != nullptr;
    findings.push_back(
        {there ? State::ok : State::fail, "daemon's user",
         there ? "a host started by root becomes " + configuration.user
               : "there is no user '" + configuration.user + "', whom a host started by root becomes",
         there ? "" : "adduser --system --group " + configuration.user + ", or name another in host.user"});
  }
  return findings;
}

}  // namespace pbotvm::cli::doctor

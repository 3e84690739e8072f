// SPDX-License-Identifier: MIT

// What machines are started from and go back to, and the room for it.

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <future>
#include <sstream>

#include "cli/doctor/check.h"
#include "cli/program.h"
#include "cli/virsh.h"
#include "pbotvm/deadline.h"
#include "pbotvm/error.h"

namespace pbotvm::cli::doctor {

namespace {

using namespace std::chrono_literals;
using State = Finding::State;

constexpr auto patience = 800ms;
constexpr std::uint64_t mib = 1024 * 1024;
constexpr std::uint64_t too_little = 256 * mib, little = 2048 * mib;  // of room in STATE: a snapshot holds a memory
constexpr const char* image_files[] = {"vmlinuz", "initrd", "rootfs.squashfs", "image.id"};
constexpr const char* build_image =
    "build it: guest/image/build DIRECTORY, or ./quickstart; name another with PBOTVM_IMAGE";

Finding check_image(const config::MachineConfiguration& machine) {
  const std::string check = "image of " + machine.settings.name;
  const std::filesystem::path folder = machine.settings.image;
  for (const char* name : image_files) {
    std::error_code error;
    const auto size = std::filesystem::file_size(folder / name, error);
    if (error) return {State::fail, check, (folder / name).string() + ": " + error.message(), build_image};
    if (size == 0) return {State::fail, check, (folder / name).string() + " is empty", build_image};
    if (::access((folder / name).c_str(), R_OK) != 0)
      return {State::fail, check, errno_text((folder / name).string(), errno), "chmod o+r it"};
  }
  return {State::ok, check, folder.string() + " is complete"};
}

Finding check_own_snapshot(const config::MachineConfiguration& machine, const std::filesystem::path& state) {
  const std::string check = "snapshot of " + machine.settings.name;
  const auto folder = state / machine.settings.directory;
  std::error_code error;
  if (std::filesystem::exists(folder / "snapshot.stamp", error))
    return {State::ok, check, "there is one in " + folder.string()};
  if (error) return {State::warn, check, folder.string() + ": " + error.message(), "look as root or the host's user"};
  return {State::ok, check, "none yet in " + folder.string() + "; the host takes it when it first starts the machine"};
}

Finding check_libvirt_snapshot(const config::MachineConfiguration& machine) {
  const auto& settings = machine.settings;
  const std::string check = "snapshot of " + settings.name;
  const std::string uri = Virsh::uri_of(machine);
  const auto end =
      run_program({"virsh", "-q", "-c", uri, "snapshot-list", settings.domain, "--name"}, Deadline::in(patience));
  if (!end.found)
    return {State::warn, check, "cannot be looked at: there is no virsh", "apt-get install libvirt-clients"};
  if (end.timed_out)
    return {State::warn, check, "libvirt did not answer in time", "try again; systemctl status libvirtd"};
  if (end.status != 0)
    return {State::fail, check, end.err.substr(0, end.err.find_last_not_of('\n') + 1),
            "virsh -c " + uri + " list --all"};
  std::istringstream lines(end.out);
  std::string names;
  for (std::string line; std::getline(lines, line);) {
    if (line == settings.snapshot) return {State::ok, check, "domain " + settings.domain + " has snapshot " + line};
    if (!line.empty()) names += (names.empty() ? "" : ", ") + line;
  }
  return {State::warn, check,
          "domain " + settings.domain + " has no snapshot " + settings.snapshot +
              (names.empty() ? "" : ", it has " + names),
          "the host takes it when it first starts the domain; or, while its guest answers: pbotvm snapshot create " +
              settings.snapshot + " " + settings.name};
}

}  // namespace

Findings check_images(const config::Configuration& configuration) {
  Findings findings;
  for (const auto& machine : configuration.machines) {
    if (machine.hypervisor.plugin == "qemu") findings.push_back(check_image(machine));
  }
  return findings;
}

Findings check_snapshots(const config::Configuration& configuration) {
  std::vector<std::future<Finding>> looks;
  for (const auto& machine : configuration.machines) {
    if (machine.hypervisor.plugin == "qemu")
      looks.push_back(
          std::async(std::launch::deferred, [&] { return check_own_snapshot(machine, configuration.state); }));
    if (machine.hypervisor.plugin == "libvirt")
      looks.push_back(std::async(std::launch::async, [&] { return check_libvirt_snapshot(machine); }));
  }
  Findings findings;
  for (auto& look : looks) findings.push_back(look.get());
  return findings;
}

Finding check_space(const config::Configuration& configuration) {
  std::filesystem::path place = configuration.state;
  std::error_code error;
  while (!std::filesystem::exists(place, error) && place.has_relative_path()) place = place.parent_path();
  const std::string check = "room in " + configuration.state.string();
  struct statvfs figures {};
  if (::statvfs(place.c_str(), &figures) != 0)
    return {State::warn, check, errno_text(place.string(), errno), "choose another directory with PBOTVM_STATE"};
  const std::uint64_t free = std::uint64_t{figures.f_bavail} * figures.f_frsize;
  const std::string found = std::to_string(free / mib) + " MiB are free";
  const std::string remedy =
      "a snapshot takes as much as its machine has memory: choose another disk with PBOTVM_STATE";
  if (free < too_little) return {State::fail, check, found, remedy};
  if (free < little) return {State::warn, check, found, remedy};
  return {State::ok, check, found};
}

}  // namespace pbotvm::cli::doctor

// SPDX-License-Identifier: MIT
#include "cli/image_holder.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "cli/control_client.h"
#include "cli/virsh.h"
#include "config/error_line.h"
#include "image/image_chain.h"
#include "image/image_name.h"
#include "image/layers.h"
#include "pbotvm/error.h"

namespace pbotvm::cli {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using image::ImageUse;
using image::Use;
using nlohmann::json;

constexpr char socket_name[] = "qmp.sock";
constexpr auto change_patience = 180s;  // a machine's whole memory is written, and running jobs end first

std::string quoted(const fs::path& file) {
  return image::printable(file.string());
}

// How virsh would be called for that domain: with the URI of the machine that is configured for it.
std::string virsh(const Invocation& invocation, const std::string& domain) {
  for (const auto& machine : load_configuration(invocation.file).machines) {
    if (machine.hypervisor.plugin == "libvirt" && machine.settings.domain == domain)
      return "virsh -c " + Virsh::uri_of(machine);
  }
  return "virsh";
}

std::string libvirt_remedy(const Invocation& invocation, const ImageWish& wish, const ImageUse& use) {
  const std::string program = virsh(invocation, use.machine) + ' ', domain = ' ' + use.machine;
  const std::string file = ' ' + quoted(wish.file), base = wish.base ? " --base " + quoted(*wish.base) : "";
  if (wish.command == "commit") {
    const std::string down_to = base.empty() ? " --shallow" : base;
    if (use.use == Use::write)
      return "libvirt does that: " + program + "blockcommit" + domain + file + down_to + " --active --pivot --wait";
    return "libvirt does that: " + program + "blockcommit" + domain + " DISK --top" + file + down_to +
           " --wait, with the DISK that " + program + "domblklist" + domain + " shows";
  }
  if (wish.command == "stream" && use.use == Use::write)
    return "libvirt does that: " + program + "blockpull" + domain + file + base + " --wait";
  return "end the domain first: " + program + "shutdown" + domain;
}

std::string other_remedy(const ImageWish& wish, const ImageUse& use) {
  if (use.pid == 0) return "ask as root, or as the user that the machine runs as, to see who it is";
  const std::string stop = "end process " + std::to_string(use.pid) + " first";
  if (use.machine.empty() || wish.command == "rebase") return stop;
  return stop + ", or name a QMP socket of it that nobody else uses: --qmp SOCKET";
}

json ask_about_snapshots(const HostMachine& machine, const char* action) {
  json command = {{"command", "snapshot"}, {"machine", machine.name}, {"action", action}};
  if (action != std::string_view("list")) command["name"] = machine.snapshot;
  const json answer = ask_host(machine.state, command, change_patience);
  if (!answer.value("ok", false)) throw Error(ErrorCode::refused, refusal_of(answer));
  return answer.value("snapshots", json::array());
}

// Whether the host has a snapshot to revert the machine to. Others are the operator's, and are not given up.
bool has_own_snapshot(const HostMachine& machine) {
  bool own = false;
  std::string others;
  for (const json& one : ask_about_snapshots(machine, "list")) {
    const std::string name = one.value("name", "");
    if (name == machine.snapshot) {
      own = true;
    } else {
      others += (others.empty() ? "" : ", ") + name;
    }
  }
  if (!others.empty())
    throw Error(ErrorCode::refused, "snapshots of machine '" + machine.name + "' need what is below: " + others,
                "delete them: pbotvm snapshot delete NAME " + machine.name);
  return own;
}

/// The host's own snapshot, which is given up, and taken anew at the end. Where it is missing, because a stream was
/// killed before it could do so, it is only taken.
class RetakenSnapshot {
 public:
  RetakenSnapshot(const HostMachine& machine, bool there) : machine_(machine) {
    if (!there) return;
    ask_about_snapshots(machine_, "delete");
    std::cerr << "pbotvm: the host gave up snapshot " << machine_.snapshot << " of machine '" << machine_.name
              << "', which needs what is below, and takes it anew afterwards\n";
  }
  ~RetakenSnapshot() {
    try {
      take();
    } catch (const std::exception& error) {
      std::cerr << "pbotvm: and machine '" << machine_.name << "' has no snapshot " << machine_.snapshot
                << " now, so that it is booted instead of reverted: " << error_line(error.what()) << '\n';
    }
  }
  RetakenSnapshot(const RetakenSnapshot&) = delete;
  RetakenSnapshot& operator=(const RetakenSnapshot&) = delete;

  void take() {
    if (!missing_) return;
    missing_ = false;
    if (!is_there()) ask_about_snapshots(machine_, "create");
  }

 private:
  // The host takes one by itself where it has booted the machine meanwhile.
  bool is_there() const {
    const json all = ask_about_snapshots(machine_, "list");
    return std::ranges::any_of(all, [this](const json& one) { return one.value("name", "") == machine_.snapshot; });
  }

  const HostMachine& machine_;
  bool missing_ = true;
};

}  // namespace

std::optional<HostMachine> host_machine(const Invocation& invocation, const ImageUse& use) {
  if (use.machine.empty() || use.libvirt || use.directory.empty()) return std::nullopt;
  const auto configuration = load_configuration(invocation.file);
  // Every QEMU of a host has the host's STATE as its working directory.
  std::error_code ignored;
  if (!fs::equivalent(use.directory, configuration.state, ignored)) return std::nullopt;
  for (const auto& machine : configuration.machines) {
    const auto& settings = machine.settings;
    const auto& called = settings.domain.empty() ? settings.name : settings.domain;  // in the arguments of its QEMU
    if (machine.hypervisor.plugin == "qemu" && called == use.machine)
      return HostMachine{settings.name, settings.snapshot, configuration.state,
                         configuration.state / settings.directory / socket_name, use.use == Use::write};
  }
  return std::nullopt;
}

std::optional<HostMachine> host_machine_with(const Invocation& invocation, const ImageWish& wish) {
  const ImageUse use = image::image_use(wish.file);
  if (use.use == Use::none) return std::nullopt;
  const auto machine = host_machine(invocation, use);
  if (!machine)
    throw Error(ErrorCode::refused, quoted(wish.file) + " is " + use.text(),
                use.libvirt ? libvirt_remedy(invocation, wish, use) : other_remedy(wish, use));
  std::cerr << "pbotvm: machine '" << machine->name << "' of pbotvm-host has " << quoted(wish.file)
            << " open: going through its QEMU, process " << use.pid << std::endl;
  return machine;
}

image::BlockJobReport stream_through(const HostMachine& machine, const fs::path& file,
                                     const image::BlockJobOptions& options, const image::Watch& watch) {
  const image::Layer image = image::read_chain(file).front();
  if (!machine.writes) return image::stream_running(machine.socket, file, options, watch);
  const bool there = image.header.snapshots > 0;
  if (there && (!has_own_snapshot(machine) || image.header.snapshots > 1)) image::must_hold_no_snapshots(image);
  RetakenSnapshot snapshot(machine, there);
  const auto report = image::stream_running(machine.socket, file, options, watch);
  if (there) snapshot.take();  // else the stream has done what it could do without the host
  return report;
}

}  // namespace pbotvm::cli

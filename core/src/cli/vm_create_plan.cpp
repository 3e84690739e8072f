// SPDX-License-Identifier: MIT
#include "cli/vm_create_plan.h"

#include <strings.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "cli/doctor/check.h"
#include "cli/virsh.h"
#include "pbotvm/error.h"

namespace pbotvm::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::uint16_t first_port = 5555;
constexpr std::uint32_t first_cid = 7;
constexpr unsigned most_usual_cpus = 2;
constexpr const char* image_files[] = {"vmlinuz", "initrd", "rootfs.squashfs", "image.id"};

const config::MachineConfiguration* configured_machine(const config::Configuration& configuration,
                                                       const std::string& name) {
  for (const auto& machine : configuration.machines)
    if (::strcasecmp(machine.settings.name.c_str(), name.c_str()) == 0) return &machine;
  return nullptr;
}

/// TCP ports and context ids that machines of the configuration have.
struct Taken {
  std::set<std::uint16_t> ports;
  std::set<std::uint32_t> cids;

  explicit Taken(const config::Configuration& configuration) {
    for (const auto& machine : configuration.machines) {
      for (const Endpoint* line : {&machine.settings.serial, &machine.settings.heart, &machine.settings.virtio_serial})
        if (line->kind == Endpoint::Kind::tcp) ports.insert(line->port);
      cids.insert(machine.settings.cid);
    }
  }
  Endpoint port() {
    std::uint16_t free = first_port;
    while (ports.count(free) != 0) ++free;
    ports.insert(free);
    return Endpoint::tcp("127.0.0.1", free);
  }
  std::uint32_t cid() const {
    std::uint32_t free = first_cid;
    while (cids.count(free) != 0) ++free;
    return free;
  }
};

MachineSettings new_machine(const std::string& name, Taken& taken) {
  MachineSettings made;
  made.name = made.domain = name;
  made.directory = "machines/" + name;
  made.serial = taken.port();
  made.heart = taken.port();
  made.virtio_serial = Endpoint::unix_socket(made.directory + "/virtio-serial.sock");
  made.cid = taken.cid();
  return made;
}

bool vsock_is_there() {
  return ::access("/dev/vhost-vsock", F_OK) == 0;
}

// libvirt's QEMU cannot reach a socket below STATE, and cannot start with a vsock where the kernel has none.
void make_reachable(MachineSettings& machine, Taken& taken) {
  const Endpoint& line = machine.virtio_serial;
  if (line.kind == Endpoint::Kind::unix_socket && !fs::path(line.path).is_absolute())
    machine.virtio_serial = taken.port();
  if (!vsock_is_there()) machine.cid = 0;
}

std::vector<Device> lines_of(const MachineSettings& machine, const fs::path& state) {
  std::vector<Device> made;
  if (machine.serial.kind != Endpoint::Kind::none && machine.heart.kind != Endpoint::Kind::none)
    made = serial_devices(machine, state);
  if (machine.virtio_serial.kind != Endpoint::Kind::none) made.push_back(virtio_serial_device(machine, state));
  if (machine.cid > 2) made.push_back(vsock_device(machine));
  return made;
}

void check_uri(const std::string& uri) {
  if (Virsh::is_local(uri)) return;
  throw Error(ErrorCode::refused, "cannot make a machine at " + uri + ": its disk would be on another system",
              "run pbotvm vm create there, or make the domain with virt-install --connect " + uri);
}

void check_image(const fs::path& image) {
  for (const char* name : image_files)
    if (::access((image / name).c_str(), R_OK) != 0)
      throw Error(ErrorCode::unavailable, errno_text((image / name).string(), errno),
                  "name the directory of a guest image, as guest/image/build makes it");
}

fs::path usual_disk(const CreatePlan& plan) {
  return (plan.libvirt ? fs::path("/var/lib/libvirt/images") : fs::path("/var/lib/pbotvm")) /
         (plan.machine.domain + ".qcow2");
}

void place_disk(CreatePlan& plan) {
  // Plain QEMU keeps what our image's machine needs in STATE.
  if (plan.wish.image && !plan.libvirt && !plan.wish.disk) return;
  plan.disk = plan.wish.disk.value_or(usual_disk(plan));
  plan.disk_size = plan.wish.disk_size;
}

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump();  // JSON's strings are YAML's
}

std::string line_value(const Endpoint& line) {
  if (line.kind == Endpoint::Kind::none) return "0";
  if (line.kind == Endpoint::Kind::tcp && line.address == "127.0.0.1") return std::to_string(line.port);
  return quoted(line.text());
}

void add_qemu_yaml(std::ostream& to, const CreatePlan& plan) {
  to << "    hypervisor:\n      plugin: qemu\n";
  if (plan.wish.iso) to << "      boot: disk\n";
  // The plainest emulated processor, the default, lacks what some distributions are built for.
  if (plan.wish.iso && !plan.kvm) to << "      cpu: max\n";
  to << "      memory: " << plan.wish.memory_mib << " MiB\n";
  if (plan.wish.iso || plan.wish.cpus != 0) to << "      cpus: " << plan.cpus << '\n';
  if (!plan.disk.empty()) to << "      disks:\n        - {file: " << quoted(plan.disk.string()) << "}\n";
  if (plan.wish.image && plan.wish.network == CreateWish::Network::user) to << "      nics:\n        - {type: user}\n";
  if (plan.wish.network == CreateWish::Network::bridge)
    to << "      nics:\n        - {type: bridge, bridge: " << quoted(plan.wish.bridge) << "}\n";
}

}  // namespace

CreatePlan plan_machine(const config::Configuration& configuration, const CreateWish& wish) {
  CreatePlan plan;
  plan.wish = wish;
  plan.user = configuration.user;
  Taken taken(configuration);
  const auto* known = configured_machine(configuration, wish.name);
  plan.configured = known != nullptr;
  plan.machine = known != nullptr ? known->settings : new_machine(wish.name, taken);
  const std::string hypervisor = !wish.hypervisor.empty() ? wish.hypervisor
                                 : known != nullptr       ? known->hypervisor.plugin
                                                          : std::string("qemu");
  if (hypervisor != "libvirt" && hypervisor != "qemu")
    throw Error(
        ErrorCode::refused,
        "machine '" + wish.name + "' is of the hypervisor " + hypervisor + ", for which pbotvm makes no machines",
        "name another with --hypervisor libvirt or --hypervisor qemu");
  plan.libvirt = hypervisor == "libvirt";
  const bool same_back_end = known != nullptr && known->hypervisor.plugin == hypervisor;
  plan.uri = same_back_end ? Virsh::uri_of(*known) : "qemu:///system";
  if (plan.libvirt) {
    check_uri(plan.uri);
    make_reachable(plan.machine, taken);
    plan.devices = lines_of(plan.machine, configuration.state);
  }
  if (wish.image && !plan.libvirt && wish.console != CreateWish::Console::serial)
    throw Error(ErrorCode::refused, "a machine of a guest image under the hypervisor qemu has no screen",
                "leave --console out, or name --hypervisor libvirt");
  if (wish.image) check_image(*wish.image);
  place_disk(plan);
  plan.kvm = doctor::check_kvm(doctor::this_system(), configuration).state == doctor::Finding::State::ok;
  // With two emulated processors QEMU 7.2 hangs in some boots.
  plan.cpus = wish.cpus != 0 ? wish.cpus : plan.kvm ? most_usual_cpus : 1;
  if (wish.iso) {
    const auto installer = find_installer(*wish.iso);  // says at once where it is no ISO
    if (wish.console == CreateWish::Console::serial) plan.installer = installer;
  }
  const fs::path guest_files = program_directory().parent_path() / "share" / "pbotvm" / "guest";
  if (fs::exists(guest_files / "setup-guest")) plan.guest_files = guest_files;
  return plan;
}

std::string settings_yaml(const CreatePlan& plan) {
  std::ostringstream yaml;
  const MachineSettings& machine = plan.machine;
  if (!plan.configured) yaml << "default_machine: " << machine.name << "   # unless the file has another one\n";
  yaml << "machines:\n  " << machine.name << ":\n";
  if (machine.domain != machine.name) yaml << "    domain: " << quoted(machine.domain) << '\n';
  if (plan.libvirt) {
    yaml << "    hypervisor: {plugin: libvirt, uri: " << quoted(plan.uri) << "}\n";
  } else {
    if (plan.wish.image) yaml << "    image: " << quoted(plan.wish.image->string()) << '\n';
    add_qemu_yaml(yaml, plan);
  }
  yaml << "    serial: " << line_value(machine.serial) << "\n    heart: " << line_value(machine.heart) << '\n';
  if (plan.libvirt) yaml << "    virtio_serial: " << line_value(machine.virtio_serial) << '\n';
  yaml << "    cid: " << machine.cid << '\n';
  return yaml.str();
}

}  // namespace pbotvm::cli

// SPDX-License-Identifier: MIT
#include "cli/vm_delete.h"

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/control_client.h"
#include "cli/device.h"
#include "cli/virsh.h"
#include "cli/vm_left.h"
#include "image/image_chain.h"
#include "image/image_use.h"
#include "pbotvm/error.h"

namespace pbotvm::cli {

namespace {

namespace fs = std::filesystem;
using config::MachineConfiguration;

constexpr std::string_view option_disks = "--disks";

void refuse_held(const config::Configuration& configuration, const std::string& name) {
  const auto host = holding_host(configuration.state, name);
  if (host.is_null()) return;
  throw Error(ErrorCode::refused,
              "machine '" + name + "' is held by pbotvm-host, process " + host.value("pid", nlohmann::json()).dump(),
              "end that host first, or take the machine out of its configuration");
}

// Whoever has the file open would go on without it, and lose what it writes.
void refuse_used(const fs::path& file) {
  const auto use = image::image_use(file);
  if (use.use == image::Use::none) return;
  throw Error(ErrorCode::refused, file.string() + " is in use: " + use.text(), "end the machine that uses it first");
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

std::vector<fs::path> files_there(const std::vector<std::string>& names) {
  std::vector<fs::path> files;
  for (const auto& name : names)
    if (is_there(name)) files.emplace_back(name);
  return files;
}

// Of a link only the link would go; and no directory or device is removed as a disk.
void refuse_unremovable(const fs::path& file) {
  std::error_code error;
  const auto status = fs::symlink_status(file, error);
  if (error || fs::is_regular_file(status)) return;
  std::string what = "not a regular file";
  if (fs::is_symlink(status)) what = "a symbolic link to " + fs::read_symlink(file, error).string();
  if (fs::is_directory(status)) what = "a directory";
  throw Error(ErrorCode::refused, "the disk " + file.string() + " is " + what + ", and is not removed",
              "delete without --disks, and remove yourself what is to go");
}

void remove_file(const fs::path& file) {
  std::error_code error;
  fs::remove(file, error);
  if (error) throw Error(ErrorCode::refused, errno_text("remove " + file.string(), error.value()));
  std::cout << "removed the disk " << file.string() << std::endl;
}

// Sockets, logs, snapshots and claims of a machine in STATE.
std::vector<fs::path> images_in(const fs::path& directory) {
  std::vector<fs::path> images;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error))
    if (entry.is_regular_file(error) && entry.path().extension() == ".qcow2") images.push_back(entry.path());
  return images;
}

void remove_directory(const fs::path& directory) {
  if (!is_there(directory)) return;
  std::error_code error;
  const auto count = fs::remove_all(directory, error);
  if (error) throw Error(ErrorCode::refused, errno_text("remove " + directory.string(), error.value()));
  std::cout << "removed " << directory.string() << ", " << count - 1 << " files in it" << std::endl;
}

enum class DisksOf { written, all };

// The disks that the settings of the hypervisor qemu name.
std::vector<std::string> configured_disks(const MachineConfiguration& machine, DisksOf which) {
  std::vector<std::string> files;
  const auto disks = machine.hypervisor.settings.find("disks");
  if (!disks || !disks->is_sequence()) return files;
  for (const auto& disk : disks->items())
    if (disk.is_mapping() && (which == DisksOf::all || !disk.boolean("read_only", false)))
      files.push_back(disk.text("file", ""));
  return files;
}

// Another machine of the configuration may have the same disk, or one that lies on it.
void refuse_shared(const config::Configuration& configuration, const MachineConfiguration& machine,
                   const std::vector<fs::path>& files) {
  for (const auto& other : configuration.machines) {
    if (files.empty() || other.settings.name == machine.settings.name || other.hypervisor.plugin != "qemu") continue;
    for (const auto& disk : files_there(configured_disks(other, DisksOf::all))) {
      for (const auto& layer : image::read_chain(disk)) {
        std::error_code error;
        if (std::ranges::none_of(files, [&](const auto& mine) { return fs::equivalent(mine, layer.file, error); }))
          continue;
        throw Error(ErrorCode::refused,
                    layer.file.string() + " is a disk of machine '" + other.settings.name + "' too, or below one",
                    "delete without --disks");
      }
    }
  }
}

void end_note(const MachineConfiguration& machine) {
  std::cout << machine.settings.name << ": deleted; if the settings have an entry machines." << machine.settings.name
            << ", it is yours to remove\n";
}

int delete_domain(const config::Configuration& configuration, const MachineConfiguration& machine, bool disks) {
  const Virsh virsh(machine);
  const std::string& domain = machine.settings.domain;
  if (disks && !Virsh::is_local(Virsh::uri_of(machine)))
    throw Error(ErrorCode::refused,
                "the disks of domain '" + domain + "' at " + Virsh::uri_of(machine) + " are on another system",
                "delete without --disks, and remove them there");
  const std::string state = virsh.state();
  if (state != "shut off" && state != "crashed")
    throw Error(ErrorCode::refused, "domain '" + domain + "' is " + state,
                "end it first: pbotvm vm destroy " + machine.settings.name);
  std::vector<fs::path> files;
  if (disks) files = files_there(written_files(virsh.definition()));
  for (const auto& file : files) refuse_unremovable(file);
  refuse_shared(configuration, machine, files);
  for (const auto& file : files) refuse_used(file);
  virsh.undefine();
  std::cout << "removed the domain " << domain << " from " << Virsh::uri_of(machine) << std::endl;
  for (const auto& file : files) remove_file(file);
  remove_directory(configuration.state / machine.settings.directory);
  end_note(machine);
  return 0;
}

int delete_qemu_machine(const config::Configuration& configuration, const MachineConfiguration& machine, bool disks) {
  const fs::path directory = configuration.state / machine.settings.directory;
  if (const auto left = LeftMachine::find(configuration, machine))
    throw Error(ErrorCode::refused,
                "machine '" + machine.settings.name + "' runs, QEMU process " + std::to_string(left->pid()),
                "end it first: pbotvm vm destroy " + machine.settings.name);
  std::vector<fs::path> files;
  if (disks) files = files_there(configured_disks(machine, DisksOf::written));
  for (const auto& file : files) refuse_unremovable(file);
  refuse_shared(configuration, machine, files);
  for (const auto& file : images_in(directory)) refuse_used(file);
  for (const auto& file : files_there(configured_disks(machine, DisksOf::written))) refuse_used(file);
  remove_directory(directory);
  for (const auto& file : files) remove_file(file);
  end_note(machine);
  return 0;
}

}  // namespace

int run_vm_delete(const Invocation& invocation) {
  const Options options(invocation.words, {option_disks}, 1);
  if (options.operand(0).empty()) throw UsageError("delete needs the name of the machine");
  const auto configuration = load_configuration(invocation.file);
  const auto& machine = machine_of(configuration, options.operand(0));
  const bool disks = options.has(option_disks);
  refuse_held(configuration, machine.settings.name);
  if (machine.hypervisor.plugin == "libvirt") return delete_domain(configuration, machine, disks);
  if (machine.hypervisor.plugin == "qemu") return delete_qemu_machine(configuration, machine, disks);
  throw Error(ErrorCode::refused,
              "machine '" + machine.settings.name + "' is of the hypervisor " + machine.hypervisor.plugin +
                  ", of which pbotvm keeps nothing",
              "take its entry out of the configuration");
}

}  // namespace pbotvm::cli

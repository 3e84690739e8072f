// SPDX-License-Identifier: MIT
#include "qemu_command_line.h"

#include <algorithm>
#include <iterator>

namespace pbotvm::qemu {
namespace {

using Arguments = std::vector<std::string>;

constexpr int rootfs_fd_set = 1;

std::string number(std::uint64_t value) {
  return std::to_string(value);
}

/// A descriptor as a file name. Opening it again asks for the file's own permissions, but not for those of the
/// directories above it, which QEMU's user need not be able to enter.
std::string inherited_file(int descriptor) {
  return "/proc/self/fd/" + std::to_string(descriptor);
}

void add(Arguments& to, std::initializer_list<std::string> more) {
  to.insert(to.end(), more);
}

void add_line(Arguments& to, const std::string& id, const InheritedLine& line, const std::string& log = {}) {
  std::string value = "socket,id=" + id + ",fd=" + std::to_string(line.listener) + ",server=on,wait=off";
  if (line.tcp) value += ",nodelay=on";
  if (!log.empty()) value += ",logfile=" + escape_option(log) + ",logappend=on";
  add(to, {"-chardev", value});
}

void add_serial_port(Arguments& to, const std::string& chardev, int index) {
  add(to, {"-device", "isa-serial,chardev=" + chardev + ",index=" + std::to_string(index)});
}

/// What the guest cannot notice: names, descriptors, files, restrictions.
Arguments host_arguments(const CommandLine& line) {
  Arguments made = {"-name", "guest=" + escape_option(line.name) + ",debug-threads=on"};
  add(made, {"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"});
  add(made, {"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"});
  add(made, {"-chardev", "socket,id=monitor,fd=" + std::to_string(line.monitor)});
  add(made, {"-mon", "chardev=monitor,mode=control"});
  add_line(made, "console", line.console, line.console_log);
  if (line.data) add_line(made, "data", *line.data);
  if (line.heart) add_line(made, "heart", *line.heart);
  if (line.virtio) add_line(made, "virtio", *line.virtio);
  add(made, {"-add-fd", "fd=" + std::to_string(line.rootfs) + ",set=" + std::to_string(rootfs_fd_set)});
  add(made, {"-blockdev", "driver=file,node-name=rootfs-file,filename=/dev/fdset/" + std::to_string(rootfs_fd_set) +
                              ",read-only=on,locking=off"});
  add(made, {"-blockdev", "driver=raw,node-name=rootfs,file=rootfs-file,read-only=on"});
  if (!line.restore) return made;
  const std::string node(snapshot_node);
  add(made, {"-blockdev", "driver=file,node-name=" + node + "-file,filename=" + escape_option(line.restore->file)});
  add(made, {"-blockdev", "driver=qcow2,node-name=" + node + ",file=" + node + "-file"});
  add(made, {"-loadvm", line.restore->tag});
  return made;
}

}  // namespace

std::vector<std::string> CommandLine::machine_arguments() const {
  Arguments made = {"-machine", "q35,usb=off,sata=off,smbus=off,vmport=off", "-accel", accel};
  add(made, {"-cpu", cpu, "-m", "size=" + number(memory_mib) + "M", "-smp", "cpus=" + std::to_string(cpus)});
  add(made, {"-kernel", inherited_file(kernel), "-initrd", inherited_file(initrd), "-append", kernel_arguments});
  add(made, {"-device", "virtio-blk-pci,id=disk0,drive=rootfs"});
  add_serial_port(made, "console", 0);
  if (data) add_serial_port(made, "data", 2);
  if (heart) add_serial_port(made, "heart", 3);
  if (virtio) {
    add(made, {"-device", "virtio-serial-pci,id=serial0,max_ports=2"});
    add(made, {"-device", "virtserialport,bus=serial0.0,nr=1,chardev=virtio,name=" + std::string(virtio_port_name)});
  }
  if (vsock)
    add(made, {"-device", "vhost-vsock-pci,id=vsock0,guest-cid=" + std::to_string(vsock->cid) +
                              ",vhostfd=" + std::to_string(vsock->vhost)});
  add(made, {"-object", "rng-builtin,id=rng0", "-device", "virtio-rng-pci,rng=rng0", "-nic", "none"});
  made.insert(made.end(), extra.begin(), extra.end());
  return made;
}

std::vector<std::string> CommandLine::arguments() const {
  Arguments made = {binary};
  std::ranges::move(host_arguments(*this), std::back_inserter(made));
  std::ranges::move(machine_arguments(), std::back_inserter(made));
  return made;
}

std::string escape_option(std::string_view value) {
  std::string made;
  for (const char byte : value) made.append(byte == ',' ? 2 : 1, byte);
  return made;
}

}  // namespace pbotvm::qemu

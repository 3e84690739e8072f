// SPDX-License-Identifier: MIT
#include "qemu_command_line.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>

#include "qmp/left_qemu.h"

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

std::string further_serial(std::size_t index) {
  return "serial" + number(index + 1);
}

std::string disk_node(std::size_t index) {
  return "disk" + number(index + 1);
}

/// The file in a node of its own, the format in one above it, which opens the backing files by itself and for reading
/// only. QEMU's locks stay on: nobody else gets at a disk that is written here.
void add_disk_nodes(Arguments& to, const Disk& disk, const std::string& node) {
  const std::string access = disk.read_only ? ",read-only=on" : "";
  const std::string discard = disk.read_only ? "" : ",discard=unmap";
  add(to, {"-blockdev", "driver=file,node-name=" + node + "-file,filename=" + escape_option(disk.file) +
                            ",auto-read-only=on" + access + discard});
  add(to, {"-blockdev", "driver=" + disk.format + ",node-name=" + node + ",file=" + node + "-file" + access + discard});
}

void add_network(Arguments& to, const Nic& nic, const std::string& id) {
  std::string value = nic.kind == Nic::Kind::bridge ? "tap,id=" + id + ",fd=" + std::to_string(nic.tap)
                                                    : "user,id=" + id + (nic.restricted ? ",restrict=on" : "");
  for (const std::string& forward : nic.forwards) value += ",hostfwd=" + escape_option(forward);
  add(to, {"-netdev", value});
}

constexpr int first_vnc_port = 5900;

void add_display(Arguments& to, const Display& display) {
  const std::string socket = escape_option(display.socket);
  if (display.kind == Display::Kind::vnc)
    add(to, {"-vnc", socket.empty() ? "127.0.0.1:" + std::to_string(display.port - first_vnc_port) : "unix:" + socket});
  if (display.kind == Display::Kind::spice)
    add(to,
        {"-spice", (socket.empty() ? "addr=127.0.0.1,port=" + std::to_string(display.port) : "unix=on,addr=" + socket) +
                       ",disable-ticketing=on"});
}

void add_monitors(Arguments& to, const CommandLine& line) {
  const std::string id = qmp::monitor_id(line.identity);
  const std::string access = line.identity.empty() ? "" : ",server=on,wait=off";
  add(to, {"-chardev", "socket,id=" + id + ",fd=" + std::to_string(line.monitor) + access});
  add(to, {"-mon", "chardev=" + id + ",mode=control"});
  add_line(to, "qmp", line.qmp);
  add(to, {"-mon", "chardev=qmp,mode=control"});
}

void add_image_node(Arguments& to, int rootfs) {
  add(to, {"-add-fd", "fd=" + std::to_string(rootfs) + ",set=" + std::to_string(rootfs_fd_set)});
  add(to, {"-blockdev", "driver=file,node-name=rootfs-file,filename=/dev/fdset/" + std::to_string(rootfs_fd_set) +
                            ",read-only=on,locking=off"});
  add(to, {"-blockdev", "driver=raw,node-name=rootfs,file=rootfs-file,read-only=on"});
}

/// What the guest cannot notice: names, descriptors, files, restrictions.
Arguments host_arguments(const CommandLine& line) {
  Arguments made = {"-name", "guest=" + escape_option(line.name) + ",debug-threads=on"};
  add(made, {"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"});
  add(made, {"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"});
  add_monitors(made, line);
  add_line(made, "console", line.console, line.console_log);
  if (line.data) add_line(made, "data", *line.data);
  if (line.heart) add_line(made, "heart", *line.heart);
  if (line.virtio) add_line(made, "virtio", *line.virtio);
  if (!line.boot_disk) add_image_node(made, line.rootfs);
  for (std::size_t i = 0; i < line.serials.size(); ++i) add_line(made, further_serial(i), line.serials[i]);
  for (std::size_t i = 0; i < line.disks.size(); ++i) add_disk_nodes(made, line.disks[i], disk_node(i));
  for (std::size_t i = 0; i < line.nics.size(); ++i) add_network(made, line.nics[i], "net" + number(i));
  add_display(made, line.display);
  if (!line.restore) return made;
  const std::string node(snapshot_node);
  add(made, {"-blockdev", "driver=file,node-name=" + node + "-file,filename=" + escape_option(line.restore->file)});
  add(made, {"-blockdev", "driver=qcow2,node-name=" + node + ",file=" + node + "-file"});
  if (line.writable_nodes().empty())
    add(made, {"-loadvm", line.restore->tag});
  else
    add(made, {"-S"});
  return made;
}

/// An ISA bus has four ports, of which the host uses three: further ones are PCI cards.
void add_further_serials(Arguments& to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    if (i == 0)
      add_serial_port(to, further_serial(i), 1);
    else
      add(to, {"-device", "pci-serial,chardev=" + further_serial(i)});
}

void add_devices(Arguments& to, const CommandLine& line) {
  add_further_serials(to, line.serials.size());
  if (line.rng) add(to, {"-object", "rng-builtin,id=rng0", "-device", "virtio-rng-pci,rng=rng0"});
  if (line.balloon) add(to, {"-device", "virtio-balloon-pci,id=balloon0"});
  add(to, {"-device", "pvpanic-pci"});  // a guest's kernel says by it that it panics
  // Without the ROM to boot from the network, which nobody does here.
  for (std::size_t i = 0; i < line.nics.size(); ++i)
    add(to, {"-device", "virtio-net-pci,id=nic" + number(i) + ",netdev=net" + number(i) + ",mac=" + line.nics[i].mac +
                            ",romfile="});
  if (line.nics.empty()) add(to, {"-nic", "none"});
  if (line.display.kind != Display::Kind::none) add(to, {"-device", "VGA"});
}

}  // namespace

std::vector<std::string> CommandLine::writable_nodes() const {
  std::vector<std::string> made;
  for (std::size_t i = 0; i < disks.size(); ++i)
    if (!disks[i].read_only) made.push_back(disk_node(i));
  return made;
}

std::vector<std::string> CommandLine::machine_arguments() const {
  Arguments made = {"-machine", machine, "-accel", accel};
  add(made, {"-cpu", cpu, "-m", "size=" + number(memory_mib) + "M", "-smp", "cpus=" + std::to_string(cpus)});
  if (!boot_disk) {
    add(made, {"-kernel", inherited_file(kernel), "-initrd", inherited_file(initrd), "-append", kernel_arguments});
    add(made, {"-device", "virtio-blk-pci,id=disk0,drive=rootfs"});  // the first: it must be /dev/vda
  }
  for (std::size_t i = 0; i < disks.size(); ++i)
    add(made, {"-device", "virtio-blk-pci,id=" + disk_node(i) + "-device,drive=" + disk_node(i)});
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
  add_devices(made, *this);
  made.insert(made.end(), extra.begin(), extra.end());
  return made;
}

std::vector<std::string> CommandLine::arguments() const {
  Arguments made = {binary};
  std::ranges::move(host_arguments(*this), std::back_inserter(made));
  std::ranges::move(machine_arguments(), std::back_inserter(made));
  return made;
}

std::string usual_mac(const std::string& machine, std::size_t index) {
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (const char byte : machine + " " + number(index)) hash = (hash ^ static_cast<unsigned char>(byte)) * 16777619U;
  std::array<char, 18> text{};
  std::snprintf(text.data(), text.size(), "52:54:00:%02x:%02x:%02x", (hash >> 16) & 0xff, (hash >> 8) & 0xff,
                hash & 0xff);
  return text.data();
}

std::string escape_option(std::string_view value) {
  std::string made;
  for (const char byte : value) made.append(byte == ',' ? 2 : 1, byte);
  return made;
}

}  // namespace pbotvm::qemu

// SPDX-License-Identifier: MIT
#include "device_settings.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>

#include "disk_chain.h"

namespace pbotvm::qemu {
namespace {

constexpr std::size_t longest_interface = 15;  // bytes of a network device's name, see IFNAMSIZ
constexpr std::uint16_t first_vnc_port = 5900;
constexpr const char* file_remedy = "; make it with qemu-img create, or correct the path";

std::vector<Settings> list(const Settings& settings, const std::string& key, std::size_t most) {
  const auto node = settings.find(key);
  if (!node || node->is_null()) return {};
  if (!node->is_sequence()) node->fail(key + " is no list; write one item a line, each beginning with a dash");
  auto items = node->items();
  if (items.size() > most)
    node->fail(key + " has " + std::to_string(items.size()) + " items, accepted are " + std::to_string(most));
  return items;
}

std::string chosen(const Settings& node, const std::string& what, const std::vector<std::string>& accepted) {
  const std::string text = node.text();
  if (std::ranges::find(accepted, text) != accepted.end()) return text;
  std::string names;
  for (const std::string& name : accepted)
    names += (names.empty() ? "" : name == accepted.back() ? " and " : ", ") + name;
  node.fail(what + " is '" + text + "', accepted are " + names);
}

Settings needed(const Settings& node, const std::string& key, const std::string& what) {
  auto found = node.find(key);
  if (!found) node.fail(what + " has no " + key);
  return *found;
}

// ---- disks

void check_file(const Settings& place, const Disk& disk) {
  struct stat status {};
  if (!disk.file.starts_with('/')) place.fail("file is '" + disk.file + "', accepted is an absolute path");
  if (::stat(disk.file.c_str(), &status) != 0) place.fail("disk " + errno_text(disk.file, errno) + file_remedy);
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
    place.fail("disk " + disk.file + " is neither a file nor a block device");
  if (disk.format == "raw" && is_qcow2(disk.file))
    place.fail("disk " + disk.file + " is qcow2, and its format says raw: the guest would see the file itself");
  if (disk.format == "qcow2" && S_ISREG(status.st_mode) && !is_qcow2(disk.file))
    place.fail("disk " + disk.file + " is not qcow2; set its format to raw, or make it with qemu-img create -f qcow2");
}

Disk read_disk(const Settings& node) {
  node.accept_only({"file", "format", "read_only"});
  const Settings file = needed(node, "file", "a disk");
  Disk disk;
  disk.file = read_words(file, "file", false);
  disk.position = file.position();
  if (const auto format = node.find("format")) disk.format = chosen(*format, "format", {"qcow2", "raw"});
  disk.read_only = node.boolean("read_only", false);
  if (disk.format == "raw" && !disk.read_only)
    node.fail(
        "a raw disk that can be written cannot be put back at a revert; set read_only: true, or make an overlay: "
        "qemu-img create -f qcow2 -b FILE -F raw OVERLAY");
  check_file(file, disk);
  return disk;
}

// ---- network

/// Empty where none is named: it is then made of the machine's name.
std::string read_mac(const Settings& node) {
  const auto mac = node.find("mac");
  if (!mac) return {};
  const std::string text = mac->text();
  static const std::regex form("[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}");
  if (!std::regex_match(text, form))
    mac->fail("mac is '" + text + "', accepted is the address of one card, such as 52:54:00:12:34:56");
  return text;
}

std::vector<std::string> read_forwards(const Settings& nic) {
  static const std::regex form(
      R"((tcp|udp):(\d{1,3}(?:\.\d{1,3}){3})?:(\d{1,5})-(\d{1,3}(?:\.\d{1,3}){3})?:(\d{1,5}))");
  std::vector<std::string> made;
  for (const Settings& item : list(nic, "hostfwd", most_forwards)) {
    const std::string text = item.text();
    std::smatch parts;
    const bool understood = std::regex_match(text, parts, form);
    if (!understood || std::stoi(parts[3]) > 65535 || std::stoi(parts[5]) > 65535)
      item.fail("hostfwd is '" + text + "', accepted is tcp:127.0.0.1:2222-:22, with tcp or udp");
    if (!parts[2].matched || parts[2].str() == "0.0.0.0")
      item.fail("hostfwd '" + text + "' would listen on every address of this system; name one, such as 127.0.0.1");
    made.push_back(text);
  }
  return made;
}

Nic read_nic(const Settings& node) {
  const Settings type = needed(node, "type", "a network card");
  Nic nic;
  nic.position = node.position();
  if (chosen(type, "type", {"user", "bridge"}) == "bridge") {
    node.accept_only({"type", "bridge", "mac", "helper"});
    const Settings bridge = needed(node, "bridge", "a network card on a bridge");
    nic.kind = Nic::Kind::bridge;
    nic.bridge = read_words(bridge, "bridge", false);
    if (nic.bridge.size() > longest_interface || nic.bridge.find_first_of("/ ,=-") == 0 ||
        nic.bridge.find_first_of("/ ,") != std::string::npos)
      bridge.fail("bridge is '" + nic.bridge + "', accepted is the name of a network device, such as br0");
    if (const auto helper = node.find("helper")) nic.helper = read_words(*helper, "helper", false);
    if (!nic.helper.empty() && !nic.helper.starts_with('/')) node.find("helper")->fail("helper is no absolute path");
  } else {
    node.accept_only({"type", "hostfwd", "restrict", "mac"});
    nic.restricted = node.boolean("restrict", true);
    nic.forwards = read_forwards(node);
  }
  nic.mac = read_mac(node);
  return nic;
}

// ---- display

Display read_display_map(const Settings& node) {
  node.accept_only({"type", "socket", "port"});
  const Settings type = needed(node, "type", "display");
  const std::string kind = chosen(type, "type", {"none", "vnc", "spice"});
  Display made;
  made.kind = kind == "vnc" ? Display::Kind::vnc : kind == "spice" ? Display::Kind::spice : Display::Kind::none;
  const auto socket = node.find("socket");
  const auto port = node.find("port");
  if (socket && port) port->fail("display has a socket and a port; leave one of them out");
  if (socket) made.socket = read_words(*socket, "socket", false);
  // VNC counts its displays from there.
  if (port)
    made.port = static_cast<std::uint16_t>(port->integer(made.kind == Display::Kind::vnc ? first_vnc_port : 1, 65535));
  return made;
}

}  // namespace

std::string read_words(const Settings& node, const std::string& what, bool may_be_empty) {
  const std::string text = node.text();
  if (text.empty() && !may_be_empty) node.fail(what + " is empty; leave the key out instead");
  for (const char byte : text)
    if (static_cast<unsigned char>(byte) < ' ') node.fail(what + " holds a control character");
  return text;
}

std::string read_machine(const Settings& settings) {
  const auto node = settings.find("machine");
  if (!node) return default_machine;
  const std::string text = read_words(*node, "machine", false);
  static const std::regex form(R"((type=)?[A-Za-z0-9][A-Za-z0-9._-]*(,[A-Za-z0-9][A-Za-z0-9._-]*=[^,=]*)*)");
  if (!std::regex_match(text, form))
    node->fail("machine is '" + text + "', accepted is a type with options, such as \"q35,usb=off\"");
  for (const std::string key : {"accel", "kernel", "initrd", "append", "dumpdtb", "confidential-guest-support"})
    if (text.find("," + key + "=") != std::string::npos)
      node->fail("machine sets '" + key + "', which is the host's to say; see the keys accel and append");
  return text;
}

std::vector<Disk> read_disks(const Settings& settings) {
  std::vector<Disk> made;
  for (const Settings& item : list(settings, "disks", most_disks)) made.push_back(read_disk(item));
  return made;
}

std::vector<Nic> read_nics(const Settings& settings) {
  const auto node = settings.find("nics");
  if (node && node->is_scalar() && !node->is_null() && node->text() == "none") return {};
  std::vector<Nic> made;
  std::set<std::string> macs;
  for (const Settings& item : list(settings, "nics", most_nics)) {
    made.push_back(read_nic(item));
    const std::string& mac = made.back().mac;
    if (!mac.empty() && !macs.insert(mac).second) item.fail("mac " + mac + " is another card's already");
  }
  return made;
}

std::vector<Endpoint> read_serials(const Settings& settings) {
  std::vector<Endpoint> made;
  for (const Settings& item : list(settings, "serials", most_serials)) {
    Endpoint endpoint;
    try {
      endpoint = Endpoint::parse(item.text());
    } catch (const ConfigurationError&) {
      throw;
    } catch (const Error& error) {
      item.fail(error.what());
    }
    if (endpoint.kind == Endpoint::Kind::none)
      item.fail("a serial port needs a TCP port or unix:PATH; leave the item out");
    if (std::ranges::find(made, endpoint) != made.end()) item.fail("serials names " + endpoint.text() + " twice");
    made.push_back(endpoint);
  }
  return made;
}

Display read_display(const Settings& settings) {
  const auto node = settings.find("display");
  if (!node) return {};
  if (node->is_mapping() && !node->is_null()) return read_display_map(*node);
  const std::string kind = chosen(*node, "display", {"none", "vnc", "spice"});
  Display made;
  made.kind = kind == "vnc" ? Display::Kind::vnc : kind == "spice" ? Display::Kind::spice : Display::Kind::none;
  return made;
}

std::vector<std::string> read_extra(const Settings& settings) {
  static const std::set<std::string> forbidden = {"daemonize", "loadvm", "incoming", "sandbox",    "S",        "runas",
                                                  "chroot",    "add-fd", "pidfile",  "readconfig", "preconfig"};
  std::vector<std::string> made;
  const auto node = settings.find("extra");
  if (!node) return made;
  if (!node->is_sequence()) node->fail("extra is no list; write one argument an item: [\"-device\", \"pvpanic\"]");
  for (const Settings& item : node->items()) {
    const std::string text = read_words(item, "an argument in extra", true);
    const std::size_t start = text.find_first_not_of('-');
    if (text.starts_with('-') && start != std::string::npos && start <= 2 && forbidden.contains(text.substr(start)))
      item.fail("extra holds " + text + ", which would take the machine out of the host's hands; leave it out");
    made.push_back(text);
  }
  return made;
}

}  // namespace pbotvm::qemu

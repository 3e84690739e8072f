// SPDX-License-Identifier: MIT
#include "cli/vm_create_options.h"

#include <charconv>
#include <functional>
#include <map>

#include "image/image_name.h"
#include "image/layers.h"

namespace pbotvm::cli {

namespace {

constexpr std::uint64_t mib = 1024 * 1024;
constexpr std::uint64_t installed_disk = 12 * 1024 * mib;  // bytes; it grows with what is written
constexpr std::uint64_t snapshot_disk = mib;               // holds nothing but the saved machine
constexpr std::uint64_t installer_memory = 2048, image_memory = 1024, least_memory = 128;  // MiB
constexpr std::uint64_t most_memory = 1024 * 1024;                                         // MiB
constexpr unsigned most_cpus = 64;
constexpr std::size_t longest_name = 64;  // bytes
constexpr std::string_view name_bytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

// "8G", "512MiB", "2 GiB"; bytes.
std::uint64_t read_size(const std::string& option, const std::string& text) {
  static const std::map<std::string, unsigned> units = {{"M", 20},   {"G", 30},   {"T", 40},  {"MiB", 20},
                                                        {"GiB", 30}, {"TiB", 40}, {"MB", 20}, {"GB", 30}};
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const char* unit_begin = end;
  while (unit_begin != text.data() + text.size() && *unit_begin == ' ') ++unit_begin;
  const auto unit = units.find(std::string(unit_begin, text.data() + text.size()));
  if (error != std::errc() || unit == units.end() || value == 0 || value > (image::max_virtual_size >> unit->second))
    throw UsageError(option + ": '" + text + "' is no size; a number with M, G or T is, such as 2G");
  return value << unit->second;
}

unsigned read_cpus(const std::string& text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == 0 || value > most_cpus)
    throw UsageError("--cpus: '" + text + "' is no number from 1 to " + std::to_string(most_cpus));
  return value;
}

std::string read_plain(const std::string& what, const std::string& text) {
  if (text.empty() || text.size() > longest_name || text.find_first_not_of(name_bytes) != std::string::npos ||
      text[0] == '-' || text[0] == '.')
    throw UsageError(what + ": '" + text + "' is no name; letters, digits, '.', '_' and '-' make one, 64 at most");
  return text;
}

template <class T>
T one_of(const std::string& option, const std::string& text, const std::map<std::string, T>& known) {
  const auto found = known.find(text);
  if (found != known.end()) return found->second;
  std::string names;
  for (const auto& [name, value] : known) names += (names.empty() ? "" : ", ") + name;
  throw UsageError(option + " takes one of " + names + ", not '" + text + "'");
}

void read_network(CreateWish& wish, const std::string& text) {
  if (text.starts_with("bridge=")) {
    wish.network = CreateWish::Network::bridge;
    wish.bridge = read_plain("--network bridge", text.substr(7));
  } else if (text == "user" || text == "none") {
    wish.network = text == "user" ? CreateWish::Network::user : CreateWish::Network::none;
  } else {
    throw UsageError("--network takes user, none or bridge=NAME, not '" + text + "'");
  }
}

using Reader = std::function<void(CreateWish&, const std::string&)>;

const std::map<std::string, Reader>& readers() {
  using Console = CreateWish::Console;
  static const std::map<std::string, Reader> known = {
      {"--iso", [](CreateWish& wish, const std::string& text) { wish.iso = image::local_file(text); }},
      {"--image", [](CreateWish& wish, const std::string& text) { wish.image = image::local_file(text); }},
      {"--disk", [](CreateWish& wish, const std::string& text) { wish.disk = image::local_file(text); }},
      {"--disk-size",
       [](CreateWish& wish, const std::string& text) { wish.disk_size = read_size("--disk-size", text); }},
      {"--memory",
       [](CreateWish& wish, const std::string& text) {
         wish.memory_mib = read_size("--memory", text) / mib;
         if (wish.memory_mib < least_memory || wish.memory_mib > most_memory)
           throw UsageError("--memory takes 128M to 1T, not '" + text + "'");
       }},
      {"--cpus", [](CreateWish& wish, const std::string& text) { wish.cpus = read_cpus(text); }},
      {"--hypervisor",
       [](CreateWish& wish, const std::string& text) {
         wish.hypervisor = one_of<std::string>("--hypervisor", text, {{"libvirt", "libvirt"}, {"qemu", "qemu"}});
       }},
      {"--console",
       [](CreateWish& wish, const std::string& text) {
         wish.console = one_of<Console>(
             "--console", text, {{"serial", Console::serial}, {"spice", Console::spice}, {"vnc", Console::vnc}});
       }},
      {"--network", read_network},
  };
  return known;
}

// Takes "--NAME VALUE" or "--NAME=VALUE" at `at`, and leaves `at` at the last word that it took.
void read_option(CreateWish& wish, const Words& words, std::size_t& at, bool& network_given) {
  const std::size_t equals = words[at].find('=');
  const std::string name = words[at].substr(0, equals);
  const auto reader = readers().find(name);
  if (reader == readers().end()) throw UsageError("'" + words[at] + "' is no option of create");
  if (equals == std::string::npos && at + 1 == words.size()) throw UsageError(name + " takes a value");
  network_given = network_given || name == "--network";
  reader->second(wish, equals == std::string::npos ? words[++at] : words[at].substr(equals + 1));
}

void fill_in(CreateWish& wish, bool network_given) {
  if (wish.memory_mib == 0) wish.memory_mib = wish.iso ? installer_memory : image_memory;
  if (wish.disk_size == 0) wish.disk_size = wish.iso ? installed_disk : snapshot_disk;
  // An installer fetches packages; our image needs nothing from outside.
  if (!network_given && wish.iso) wish.network = CreateWish::Network::user;
}

}  // namespace

CreateWish read_create_wish(const Words& words) {
  CreateWish wish;
  bool network_given = false;
  for (std::size_t at = 0; at < words.size(); ++at) {
    if (words[at] == "--print") {
      wish.print = true;
    } else if (words[at].starts_with("-")) {
      read_option(wish, words, at, network_given);
    } else if (wish.name.empty()) {
      wish.name = read_plain("the machine", words[at]);
    } else {
      throw UsageError("'" + words[at] + "' is one word too many");
    }
  }
  if (wish.name.empty()) throw UsageError("the name of the machine is missing");
  if (wish.iso.has_value() == wish.image.has_value())
    throw UsageError("create takes either --iso FILE, an installer, or --image DIR, PBotVM's own guest image");
  fill_in(wish, network_given);
  return wish;
}

}  // namespace pbotvm::cli

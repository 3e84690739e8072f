// SPDX-License-Identifier: MIT
#include "config/configuration.h"

#include <unistd.h>

#include <algorithm>

#include "config/table.h"

namespace pbotvm::config {

namespace {

constexpr std::size_t max_machines = 256;
constexpr std::uint16_t usual_server = 9000;
constexpr const char* config_variable = "PBOTVM_CONFIG";
constexpr const char* variable_prefix = "PBOTVM_";
// Variables that the tests read.
constexpr const char* test_prefix = "PBOTVM_TEST_";

bool starts_with(const std::string& text, const std::string& prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

bool ends_with(const std::string& text, const std::string& suffix) {
  return text.size() >= suffix.size() && text.compare(text.size() - suffix.size(), suffix.size(), suffix) == 0;
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string suggestion(const std::string& near) {
  return near.empty() ? "" : "; did you mean '" + near + "'?";
}

std::string option_name(const std::string& key) {
  return "--set " + key;
}

/// "serial" of "machines.NAME.serial".
std::string machine_key(const Row& row) {
  return row.yaml.substr(std::string(machine_prefix).size());
}

/// The first part of a key: "hypervisor" of "hypervisor.plugin".
std::string first_part(const std::string& key) {
  return key.substr(0, key.find('.'));
}

/// Where a value came from, for complaints about two values together.
struct Place {
  std::string position;
  bool built_in = true;
};

std::string lower_case(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

/// Reads all sources once; load() is called once.
class Loader {
 public:
  explicit Loader(const Sources& sources) : sources_(sources) {}

  Configuration load() {
    read_file();
    check_file_keys();
    check_environment_names();
    for (const auto& row : table())
      if (row.host) apply(row, "", [&](const Given& given) { row.host(result_, given); });
    for (const auto& name : machine_names()) load_machine(name);
    check_command_line_keys();
    choose_state();
    check_names();
    check_endpoints();
    check_context_ids();
    return std::move(result_);
  }

 private:
  void read_file() {
    std::optional<std::filesystem::path> file = sources_.file;
    const auto variable = sources_.environment.find(config_variable);
    if (!file && variable != sources_.environment.end()) {
      if (variable->second.empty())
        throw ConfigurationError(config_variable, "found an empty value, the name of a file is accepted");
      file = variable->second;
    }
    if (!file && std::filesystem::status(sources_.default_file).type() != std::filesystem::file_type::not_found)
      file = sources_.default_file;
    if (!file) return;
    file_ = Settings::load(*file);
    base_ = std::filesystem::absolute(*file).parent_path();
  }

  // ---- What may stand where

  void check_file_keys() const {
    std::vector<std::string> top = {"host", "machines"}, host, machine;
    for (const auto& row : table()) {
      if (row.machine)
        machine.push_back(first_part(machine_key(row)));
      else if (starts_with(row.yaml, host_prefix))
        host.push_back(row.yaml.substr(std::string(host_prefix).size()));
      else
        top.push_back(row.yaml);
    }
    file_.accept_only(top);
    if (const auto node = file_.find("host")) node->accept_only(host);
    for (const auto& [name, node] : written_machines()) {
      machine_name(file_.find("machines")->key(name), name);
      node.accept_only(machine);
    }
  }

  void check_environment_names() const {
    const std::size_t skipped = std::string(variable_prefix).size();
    std::vector<std::string> known = {std::string(config_variable).substr(skipped)};
    for (const auto& row : table())
      for (const auto& name : row.environment) known.push_back(name.substr(skipped));
    for (const auto& [name, value] : sources_.environment) {
      if (!starts_with(name, variable_prefix) || starts_with(name, test_prefix)) continue;
      const std::string rest = name.substr(skipped);
      if (std::find(known.begin(), known.end(), rest) != known.end()) continue;
      const std::string near = nearest(rest, known);
      throw ConfigurationError(name, "unknown setting" + (near.empty() ? "; --help lists the settings there are"
                                                                       : suggestion(variable_prefix + near)));
    }
  }

  void check_command_line_keys() const {
    std::vector<std::string> known;
    for (const auto& row : table()) {
      if (!row.machine) known.push_back(row.yaml);
      for (const auto& machine : result_.machines)
        if (row.machine) known.push_back("machines." + machine.settings.name + "." + machine_key(row));
    }
    for (const auto& [key, value] : sources_.command_line) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      throw ConfigurationError(option_name(key), unknown_machine(key) + suggestion(nearest(key, known)));
    }
  }

  std::string unknown_machine(const std::string& key) const {
    for (const auto& row : table())
      if (row.machine && starts_with(key, "machines.") && ends_with(key, "." + machine_key(row)))
        return "there is no such machine, there are " + joined(names_of(result_.machines));
    return "unknown key";
  }

  static std::vector<std::string> names_of(const std::vector<MachineConfiguration>& machines) {
    std::vector<std::string> names;
    for (const auto& machine : machines) names.push_back(machine.settings.name);
    return names;
  }

  // ---- One setting from all sources, lowest first

  /// `name` is the machine's, empty for a setting of the host.
  template <typename Store>
  void apply(const Row& row, const std::string& name, Store store) {
    const std::string key = replaced(row.yaml, name_placeholder, name);
    const auto take = [&](Given given) {
      places_[key] = {given.value.position(), given.origin == Origin::built_in};
      store(given);
    };
    take({built_in(row, name), Origin::built_in, std::filesystem::current_path()});
    if (const auto value = in_file(row, name)) take({*value, Origin::file, base_});
    if (name.empty() || name == result_.default_machine)
      if (const auto value = in_environment(row)) take({*value, Origin::environment, std::filesystem::current_path()});
    if (const auto value = on_command_line(key)) take({*value, Origin::command_line, std::filesystem::current_path()});
  }

  Settings built_in(const Row& row, const std::string& name) const {
    const std::string origin = "built-in default of " + row.yaml;
    std::string text = row.fallback;
    if (!name.empty()) text = replaced(text, name_placeholder, name);
    text = replaced(text, prefix_placeholder, sources_.install_prefix.string());
    // A name or a path is not to be read as YAML.
    return text == row.fallback ? Settings::parse(text, origin) : Settings::scalar(text, origin);
  }

  std::optional<Settings> in_file(const Row& row, const std::string& name) const {
    std::optional<Settings> parent = file_;
    std::string key = row.yaml;
    if (row.machine) {
      const auto machines = file_.find("machines");
      parent = machines ? machines->find(name) : std::nullopt;
      key = first_part(machine_key(row));
    } else if (starts_with(row.yaml, host_prefix)) {
      parent = file_.find("host");
      key = row.yaml.substr(std::string(host_prefix).size());
    }
    return parent ? parent->find(key) : std::nullopt;
  }

  std::optional<Settings> in_environment(const Row& row) const {
    Environment::const_iterator first = sources_.environment.end();
    for (const auto& name : row.environment) {
      const auto given = sources_.environment.find(name);
      if (given == sources_.environment.end()) continue;
      if (first == sources_.environment.end())
        first = given;
      else if (given->second != first->second)
        throw ConfigurationError(name, "found '" + given->second + "', but " + first->first +
                                           ", another name of the same setting, is '" + first->second +
                                           "'; set one of them, or both alike");
    }
    if (first == sources_.environment.end()) return std::nullopt;
    if (row.negative_switch) {
      if (first->second.empty() || first->second == "0") return std::nullopt;
      return Settings::scalar("never", first->first);
    }
    if (first->second.empty())
      throw ConfigurationError(first->first,
                               "found an empty value, accepted is: " + row.type + "; unset it for the default");
    return Settings::scalar(first->second, first->first);
  }

  std::optional<Settings> on_command_line(const std::string& key) const {
    std::optional<Settings> found;
    for (const auto& [name, value] : sources_.command_line) {
      if (name != key) continue;
      if (found && found->text() != value)
        throw ConfigurationError(option_name(key),
                                 "found both '" + found->text() + "' and '" + value + "', one is accepted");
      found = Settings::scalar(value, option_name(key));
    }
    return found;
  }

  // ---- Machines

  std::vector<std::pair<std::string, Settings>> written_machines() const {
    const auto node = file_.find("machines");
    return node ? node->entries() : std::vector<std::pair<std::string, Settings>>{};
  }

  std::vector<std::string> machine_names() const {
    std::vector<std::string> names;
    for (const auto& [name, node] : written_machines()) names.push_back(name);
    if (names.empty()) return {result_.default_machine};
    if (names.size() > max_machines)
      file_.find("machines")->fail("found more than " + std::to_string(max_machines) + " machines");
    if (std::find(names.begin(), names.end(), result_.default_machine) == names.end()) fail_default_machine(names);
    return names;
  }

  [[noreturn]] void fail_default_machine(const std::vector<std::string>& names) const {
    const Place& place = places_.at("default_machine");
    const std::string found = (place.built_in ? "found no default_machine, and '" : "found the default machine '") +
                              result_.default_machine + (place.built_in ? "', which it is then," : "', which") +
                              " is not among the machines " + joined(names);
    throw ConfigurationError(place.built_in ? file_.key("machines").position() : place.position,
                             found + suggestion(nearest(result_.default_machine, names)));
  }

  void load_machine(const std::string& name) {
    MachineConfiguration machine;
    machine.settings.name = name;
    machine.settings.directory = "machines/" + name;
    for (const auto& row : table())
      if (row.machine) apply(row, name, [&](const Given& given) { row.machine(machine, given); });
    result_.machines.push_back(std::move(machine));
  }

  // Hosts side by side differ in their ports: unless it is named, each finds a state directory of its own, and so do
  // the commands that are given the same settings.
  void choose_state() {
    if (!places_.at("host.state").built_in || places_.at("host.server").built_in) return;
    if (result_.server != usual_server) result_.state += "-" + std::to_string(result_.server);
  }

  // ---- What must differ

  // Requests name a machine in any case of letters.
  void check_names() const {
    std::map<std::string, std::string> owners;
    for (const auto& machine : result_.machines) {
      const std::string& owner = machine.settings.name;
      const auto [other, fresh] = owners.emplace(lower_case(owner), owner);
      if (!fresh)
        file_.find("machines")
            ->key(owner)
            .fail("found the machine '" + owner + "' beside '" + other->second +
                  "', which is the same name to a request; give each its own");
    }
    for (const auto& machine : result_.machines)
      for (const auto& alias : machine.aliases) {
        const auto [other, fresh] = owners.emplace(lower_case(alias), machine.settings.name);
        if (!fresh)
          throw ConfigurationError(places_.at("machines." + machine.settings.name + ".aliases").position,
                                   "found the alias '" + alias + "', by which '" + other->second +
                                       "' is known already; no name belongs to two machines");
      }
  }

  struct Use {
    std::string key;
    Endpoint endpoint;
  };

  static bool wildcard(const Endpoint& endpoint) { return endpoint.address == "0.0.0.0" || endpoint.address == "::"; }

  static bool collide(const Endpoint& a, const Endpoint& b) {
    if (a.kind != b.kind || a.kind == Endpoint::Kind::none) return false;
    if (a.kind == Endpoint::Kind::unix_socket)
      return std::filesystem::path(a.path).lexically_normal() == std::filesystem::path(b.path).lexically_normal();
    return a.port == b.port && (a.address == b.address || wildcard(a) || wildcard(b));
  }

  std::vector<Use> uses() const {
    std::vector<Use> all;
    Endpoint server{
        Endpoint::Kind::tcp, result_.address == "localhost" ? "127.0.0.1" : result_.address, result_.server, {}};
    all.push_back({"host.server", server});
    for (const auto& machine : result_.machines) {
      const std::string prefix = "machines." + machine.settings.name + ".";
      all.push_back({prefix + "serial", machine.settings.serial});
      all.push_back({prefix + "heart", machine.settings.heart});
      all.push_back({prefix + "virtio_serial", machine.settings.virtio_serial});
    }
    return all;
  }

  void check_endpoints() const {
    const std::vector<Use> all = uses();
    for (std::size_t later = 0; later < all.size(); ++later)
      for (std::size_t earlier = 0; earlier < later; ++earlier)
        if (collide(all[later].endpoint, all[earlier].endpoint))
          fail_twice(all[later].key, all[earlier].key, all[later].endpoint.text());
  }

  void check_context_ids() const {
    std::map<std::uint32_t, std::string> owners;
    for (const auto& machine : result_.machines) {
      const auto& lines = machine.transports;
      const bool vsock =
          std::any_of(lines.begin(), lines.end(), [](const auto& line) { return line.plugin == "vsock"; });
      if (!vsock || machine.settings.cid == 0) continue;
      const std::string key = "machines." + machine.settings.name + ".cid";
      const auto [owner, fresh] = owners.emplace(machine.settings.cid, key);
      if (!fresh) fail_twice(key, owner->second, std::to_string(machine.settings.cid));
    }
  }

  /// Complains at a place that the operator wrote: a built-in default alone cannot be mended.
  [[noreturn]] void fail_twice(std::string key, std::string other, const std::string& value) const {
    if (places_.at(key).built_in && !places_.at(other).built_in) std::swap(key, other);
    const Place& place = places_.at(other);
    throw ConfigurationError(written_place(key), "found " + key + " to be " + value + ", which " + other + " is too (" +
                                                     (place.built_in ? "built-in default" : place.position) +
                                                     "); give each its own");
  }

  /// Of a value, or of the machine that has it by default.
  std::string written_place(const std::string& key) const {
    if (!places_.at(key).built_in) return places_.at(key).position;
    const auto machines = file_.find("machines");
    const std::string owner = key.substr(0, key.rfind('.'));
    for (const auto& [name, node] : written_machines())
      if (owner == "machines." + name) return machines->key(name).position();
    return places_.at(key).position;
  }

  const Sources& sources_;
  Settings file_{"no file"};
  std::filesystem::path base_;
  Configuration result_;
  std::map<std::string, Place> places_;
};

}  // namespace

std::string Configuration::name_of_machine(const std::string& called) const {
  const std::string wanted = lower_case(called);
  for (const auto& machine : machines) {
    const auto is_it = [&](const auto& name) { return lower_case(name) == wanted; };
    if (is_it(machine.settings.name) || std::any_of(machine.aliases.begin(), machine.aliases.end(), is_it))
      return machine.settings.name;
  }
  return called;
}

Configuration load(const Sources& sources) {
  return Loader(sources).load();
}

Environment process_environment() {
  Environment result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const auto equals = text.find('=');
    if (equals != std::string::npos) result.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return result;
}

}  // namespace pbotvm::config

// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pbotvm/machine_settings.h"
#include "pbotvm/settings.h"

namespace pbotvm::config {

/// A plug-in that the configuration picks, with the map that is the plug-in's own.
struct PluginChoice {
  std::string plugin;
  Settings settings;
};

/// When a machine goes back to its snapshot after a job; docs/architecture.md, "Machines".
enum class RevertPolicy { never, on_doubt, on_fault, always };

/// What is spoken on the data line.
enum class Dialect { frames, pbot };

struct MachineConfiguration {
  MachineSettings settings;
  RevertPolicy revert = RevertPolicy::on_fault;
  Dialect protocol = Dialect::frames;
  std::vector<std::string> aliases;                 ///< no name, of whatever case, belongs to two machines
  std::uint32_t slots = 1;                          ///< jobs at one time; the guest may give fewer
  std::chrono::milliseconds boot_timeout{180'000};  ///< from power-on to the guest's first answer
  bool network = false;                             ///< jobs use the guest's own network instead of an empty one
  std::vector<PluginChoice> transports;             ///< in order of preference, at least one
  bool transports_named = false;                    ///< the operator wrote them; false: the built-in default list
  PluginChoice heartbeat;
  PluginChoice hypervisor;
};

enum class LogLevel { error, warning, information, debug };

/// Every setting of a host, checked. Durations and sizes are positive unless said otherwise.
struct Configuration {
  std::string address;
  std::uint16_t server = 0;
  std::chrono::milliseconds timeout{};
  std::chrono::milliseconds queue_timeout{};
  std::uint32_t queue_limit = 0;        ///< requests that may wait for one machine; more are turned away
  std::uint64_t output_limit = 0;       ///< bytes
  std::uint64_t memory_limit = 0;       ///< bytes of a job
  std::uint32_t process_limit = 0;      ///< processes of a job
  std::uint64_t file_limit = 0;         ///< bytes of one file of a job
  std::uint64_t collect_limit = 0;      ///< bytes of the files that a job hands back
  std::uint32_t collect_files = 0;      ///< how many they are at most
  std::uint64_t persist_limit = 0;      ///< bytes kept under one persist-key
  std::uint32_t persist_keys = 0;       ///< how many keys there are at most
  std::uint32_t paste_files = 0;        ///< replies to -paste that are kept; 0: -paste is off
  std::uint64_t paste_limit = 0;        ///< bytes of all of them
  std::string paste_url;                ///< before the name of one; empty: its path is answered
  bool fortune = true;                  ///< a line of fortune where a request brings no input
  std::chrono::milliseconds warm_up{};  ///< after which no further language is run before a snapshot
  bool history = true;                  ///< codes are remembered for edits
  std::uint32_t history_entries = 0;    ///< of one channel and language
  std::uint64_t history_size = 0;       ///< bytes of all entries
  bool same_output = true;              ///< a `#` channel is not shown the same long output twice within minutes
  std::string language;
  std::vector<std::filesystem::path> plugins;
  std::vector<std::filesystem::path> languages;
  std::filesystem::path state;
  std::string user;  ///< whom a host started by root becomes
  LogLevel log_level = LogLevel::information;
  std::string default_machine;
  std::vector<MachineConfiguration> machines;  ///< at least the default machine; names are unique

  /// The machine that is called so, by its name or an alias in any case of letters; the same text where there is none.
  std::string name_of_machine(const std::string& called) const;
};

using Environment = std::map<std::string, std::string>;

/// Where settings come from, lowest first: built-in, file, environment, command line.
struct Sources {
  std::optional<std::filesystem::path> file;  ///< --config; else PBOTVM_CONFIG, else /etc/pbotvm/pbotvm.yaml if there
  Environment environment;                    ///< only PBOTVM_* is looked at
  std::vector<std::pair<std::string, std::string>> command_line;  ///< YAML key ("host.server"), value
  std::filesystem::path install_prefix;  ///< built-in directories are below it: lib/pbotvm, share/pbotvm/languages
  std::filesystem::path default_file = "/etc/pbotvm/pbotvm.yaml";  ///< read if it is there and no other is named
};

/// Reads and merges. Throws ConfigurationError at the first mistake; its text is the one line for standard error.
Configuration load(const Sources& sources);

/// The process' environment.
Environment process_environment();

/// One row of the table of settings, for --help and the documentation.
struct SettingRow {
  std::string yaml;
  std::vector<std::string> environment;
  std::string type;
  std::string fallback;
  std::string meaning;
};
std::vector<SettingRow> settings_table();

}  // namespace pbotvm::config

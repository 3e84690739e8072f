// SPDX-License-Identifier: MIT
#include "cli/image_command.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/image_holder.h"
#include "cli/image_progress.h"
#include "cli/table.h"
#include "config/error_line.h"
#include "image/block_job.h"
#include "image/image_chain.h"
#include "image/image_name.h"
#include "image/image_use.h"
#include "image/layers.h"
#include "pbotvm/error.h"

namespace pbotvm::cli {

namespace {

namespace fs = std::filesystem;
using image::Layer;
using image::Outcome;
using nlohmann::json;

constexpr int failed = 1, interrupted = 130;
constexpr std::size_t max_path_in_table = 255;  // bytes

// ---- Words

/// The words of one command: flags, options with a value, and operands.
class Parsed {
 public:
  Parsed(const Words& words, std::initializer_list<std::string_view> flags,
         std::initializer_list<std::string_view> valued, std::size_t operands) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::string& word = words[i];
      if (!word.starts_with("--")) {
        operands_.push_back(word);
      } else if (std::ranges::find(flags, word) != flags.end()) {
        values_[word];
      } else if (std::ranges::find(valued, word) != valued.end()) {
        if (++i == words.size()) throw UsageError(word + " takes a value");
        values_[word] = words[i];
      } else {
        throw UsageError("'" + word + "' is no option of this command; a file of that name is ./" + word);
      }
    }
    if (operands_.size() > operands) throw UsageError("'" + operands_[operands] + "' is one word too many");
    if (operands_.size() < operands) throw UsageError("a word is missing");
  }

  bool has(const std::string& name) const { return values_.count(name) != 0; }
  std::string value(const std::string& name) const { return has(name) ? values_.at(name) : std::string(); }
  const std::string& word(std::size_t place) const { return operands_[place]; }
  fs::path file(std::size_t place) const { return image::local_file(operands_[place]); }
  std::optional<fs::path> file(const std::string& name) const {
    return has(name) ? std::optional(image::local_file(value(name))) : std::nullopt;
  }

 private:
  std::map<std::string, std::string> values_;
  Words operands_;
};

/// 10G, 512MiB, 4096.
std::uint64_t size_of(const std::string& text) {
  static const std::map<std::string, int> units = {{"", 0},   {"K", 10},   {"KiB", 10}, {"M", 20},  {"MiB", 20},
                                                   {"G", 30}, {"GiB", 30}, {"T", 40},   {"TiB", 40}};
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto unit = units.find(std::string(end, text.data() + text.size()));
  if (error != std::errc() || unit == units.end() || value == 0 || value > (image::max_virtual_size >> unit->second))
    throw UsageError("'" + text + "' is no size; a number with K, M, G or T is, such as 10G, of at most 64T");
  return value << unit->second;
}

std::uint64_t rate_of(const Parsed& parsed) {
  return parsed.has("--rate") ? size_of(parsed.value("--rate")) : 0;
}

std::string size_text(std::uint64_t bytes) {
  static constexpr std::array<const char*, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return text.data();
}

std::string shown(const fs::path& file) {
  return image::printable(file.string().substr(0, max_path_in_table));
}

std::string as_json(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

// ---- The commands

// Whose machine it is that uses an image; empty where that cannot be told.
std::string holder_of(const Invocation& invocation, const image::ImageUse& use) {
  if (use.libvirt) return "libvirt";
  try {
    return host_machine(invocation, use) ? "pbotvm-host" : "";
  } catch (const ConfigurationError&) {
    return "";  // a mistake in the settings hides no image
  }
}

json describe(const Layer& layer, const image::ImageUse& use, const std::string& holder) {
  json entry = {{"file", layer.file.string()},
                {"format", image::format_name(layer.header.format)},
                {"virtual_size", layer.header.virtual_size},
                {"disk_size", layer.disk_size},
                {"backing", nullptr},
                {"backing_format", nullptr},
                {"snapshots", layer.header.snapshots},
                {"corrupt", layer.header.corrupt},
                {"use", use.use == image::Use::none   ? "none"
                        : use.use == image::Use::read ? "read"
                                                      : "write"},
                {"pid", nullptr},
                {"machine", nullptr},
                {"holder", nullptr}};
  if (!layer.header.backing.empty()) entry["backing"] = layer.header.backing;
  if (!layer.header.backing_format.empty()) entry["backing_format"] = layer.header.backing_format;
  if (use.pid != 0) entry["pid"] = use.pid;
  if (!use.machine.empty()) entry["machine"] = use.machine;
  if (!holder.empty()) entry["holder"] = holder;
  return entry;
}

int show_info(const Invocation& invocation) {
  const Words& words = invocation.words;
  const Parsed parsed(words, {"--json"}, {}, 1);
  json chain = json::array();
  std::vector<Words> rows = {{"FILE", "FORMAT", "VIRTUAL", "ON DISK", "LIES ON", "IN USE"}};
  for (const Layer& layer : image::read_chain(parsed.file(0))) {
    const image::ImageUse use = image::image_use(layer.file);
    const std::string holder = holder_of(invocation, use);
    chain.push_back(describe(layer, use, holder));
    std::string backing = layer.header.backing.empty() ? "-" : shown(layer.header.backing);
    if (!layer.header.backing.empty() && layer.header.backing_format.empty()) backing += " (format not recorded)";
    rows.push_back({shown(layer.file),
                    image::format_name(layer.header.format) + (layer.header.corrupt ? " (corrupt)" : ""),
                    size_text(layer.header.virtual_size), size_text(layer.disk_size), backing,
                    use.text() + (holder == "pbotvm-host" ? " of pbotvm-host" : "")});
  }
  std::cout << (parsed.has("--json") ? as_json({{"chain", chain}}) : table_text(rows));
  return 0;
}

int create(const Invocation& invocation) {
  const Words& words = invocation.words;
  const Parsed parsed(words, {}, {"--format"}, 2);
  const std::string format = parsed.has("--format") ? parsed.value("--format") : "qcow2";
  if (format != "qcow2" && format != "raw") throw UsageError("'" + format + "' is no format; qcow2 and raw are");
  image::create(parsed.file(0), size_of(parsed.word(1)), format == "raw" ? image::Format::raw : image::Format::qcow2);
  return 0;
}

int list_overlays(const Invocation& invocation) {
  const Words& words = invocation.words;
  const Parsed parsed(words, {"--json"}, {}, 1);
  const fs::path place = parsed.file(0);
  const bool directory = fs::is_directory(place);
  const fs::path base = directory ? fs::path() : image::read_chain(place).front().file;
  const auto search = image::find_overlays({directory ? place : place.parent_path()});
  json found = json::array();
  std::vector<Words> rows = {{"FILE", "LIES ON", "VIRTUAL"}};
  for (const auto& overlay : search.overlays) {
    if (!directory && overlay.backing != base) continue;
    found.push_back({{"file", overlay.file.string()},
                     {"base", overlay.backing.string()},
                     {"virtual_size", overlay.header.virtual_size}});
    rows.push_back({shown(overlay.file), shown(overlay.backing), size_text(overlay.header.virtual_size)});
  }
  std::cout << (parsed.has("--json") ? as_json({{"overlays", found}, {"complete", search.complete}})
                                     : table_text(rows));
  if (!search.complete) std::cerr << "pbotvm: there were too many files to look at all of them\n";
  return 0;
}

int overlay(const Invocation& invocation) {
  const Words& words = invocation.words;
  if (!words.empty() && words[0] == "list") return list_overlays({invocation.file, {words.begin() + 1, words.end()}});
  const Parsed parsed(words, {"--protect"}, {}, 2);
  image::overlay(parsed.file(0), parsed.file(1), parsed.has("--protect"));
  return 0;
}

int ended_early(const std::string& command) {
  std::cerr << "pbotvm: ended early; every image has its content, and `pbotvm image " << command
            << "` can be given again\n";
  return interrupted;
}

void print_commit(const fs::path& file, const image::CommitReport& report) {
  std::cout << shown(file) << " was merged into " << shown(report.base);
  if (report.image == image::CommitReport::Image::emptied) std::cout << " and is empty now";
  if (report.image == image::CommitReport::Image::removed) std::cout << " and was removed";
  std::cout << "\n";
  for (const fs::path& above : report.rebased)
    std::cout << shown(above) << " lies on " << shown(report.base) << " now\n";
  for (const fs::path& hollow : report.hollow)
    std::cout << shown(hollow) << " has no content of its own any more: remove it\n";
}

int commit_by_qemu(const fs::path& socket, const fs::path& file, const image::CommitOptions& options) {
  ProgressLine progress("commit");
  const image::CommitPlan plan = image::plan_commit(file, options);
  const auto report = image::commit_running(socket, file, {plan.base().file, options.rate}, progress.watch());
  progress.finish();
  if (report.outcome == Outcome::cancelled) return ended_early("commit");
  std::cout << shown(file) << " was merged into " << shown(report.base) << "\n";
  if (report.active)
    std::cout << "the machine writes to " << shown(report.base)
              << " now: name it where the machine is configured, and then remove " << shown(file) << "\n";
  return 0;
}

// The host would start the machine from the file again, on a base that has changed meanwhile; and what it reverts the
// machine to is in that file.
int commit_by_host(const HostMachine& machine, const fs::path& file, const image::CommitOptions& options) {
  if (machine.writes)
    throw Error(ErrorCode::refused,
                shown(file) + " is what machine '" + machine.name + "' writes to and has its snapshots in",
                "end pbotvm-host (and a machine that outlives it: pbotvm vm destroy " + machine.name +
                    "), then give the command again with --force: the snapshots are given up, and the host takes a "
                    "new one; a layer between can be merged now");
  const int status = commit_by_qemu(machine.socket, file, options);
  if (status == 0)
    std::cout << "nothing lies on " << shown(file) << " any more: remove it; machine '" << machine.name
              << "' is reverted as before until it ends, and then boots and has a new snapshot taken\n";
  return status;
}

int commit(const Invocation& invocation) {
  const Parsed parsed(invocation.words, {"--force", "--keep", "--delete"}, {"--into", "--rate", "--qmp"}, 1);
  if (parsed.has("--keep") && parsed.has("--delete")) throw UsageError("--keep and --delete exclude each other");
  if (parsed.has("--qmp") && (parsed.has("--keep") || parsed.has("--delete")))
    throw UsageError("--qmp leaves the file as it is; --keep and --delete go without it");
  const fs::path file = parsed.file(0);
  image::CommitOptions options;
  options.into = parsed.file("--into");
  options.force = parsed.has("--force");
  options.keep = parsed.has("--keep");
  options.remove = parsed.has("--delete");
  options.rate = rate_of(parsed);
  if (const auto socket = parsed.file("--qmp")) return commit_by_qemu(*socket, file, options);
  if (const auto machine = host_machine_with(invocation, {"commit", file, options.into})) {
    if (options.remove || options.keep)
      throw UsageError("the machine runs with " + shown(file) + ": --keep and --delete are for images not in use");
    return commit_by_host(*machine, file, options);
  }
  ProgressLine progress("commit");
  const auto report = image::commit(file, options, progress.watch());
  progress.finish();
  if (report.outcome == Outcome::cancelled) return ended_early("commit");
  print_commit(file, report);
  return 0;
}

int stream_by_host(const HostMachine& machine, const std::string& command, const fs::path& file,
                   const image::BlockJobOptions& options) {
  ProgressLine progress(command);
  const auto report = stream_through(machine, file, options, progress.watch());
  return report.outcome == Outcome::done ? 0 : ended_early(command);
}

int rebase(const Invocation& invocation) {
  const Parsed parsed(invocation.words, {"--unsafe"}, {}, 2);
  const fs::path file = parsed.file(0), base = parsed.file(1);
  if (const auto machine = host_machine_with(invocation, {"rebase", file, base})) {
    const auto chain = image::read_chain(file);
    if (parsed.has("--unsafe") || std::ranges::find(chain, base, &Layer::file) == chain.end())
      throw Error(ErrorCode::refused,
                  "machine '" + machine->name + "' runs with " + shown(file) +
                      ", which can be put only onto a layer that it lies on already",
                  "end pbotvm-host first");
    return stream_by_host(*machine, "rebase", file, {base, 0});
  }
  ProgressLine progress("rebase");
  const auto outcome = image::rebase(file, base, parsed.has("--unsafe"), progress.watch());
  return outcome == Outcome::done ? 0 : ended_early("rebase");
}

int stream(const Invocation& invocation) {
  const Parsed parsed(invocation.words, {}, {"--base", "--rate", "--qmp"}, 1);
  const fs::path file = parsed.file(0);
  const image::BlockJobOptions options{parsed.file("--base"), rate_of(parsed)};
  if (image::read_chain(file).size() == 1)  // which also refuses what must not be opened
    throw Error(ErrorCode::refused, shown(file) + " lies on no other image");
  if (const auto socket = parsed.file("--qmp")) {
    ProgressLine progress("stream");
    const auto report = image::stream_running(*socket, file, options, progress.watch());
    return report.outcome == Outcome::done ? 0 : ended_early("stream");
  }
  if (const auto machine = host_machine_with(invocation, {"stream", file, options.base}))
    return stream_by_host(*machine, "stream", file, options);
  if (options.rate > 0) throw UsageError("--rate of a stream is for one through a running machine");
  ProgressLine progress("stream");
  return image::stream(file, options.base, progress.watch()) == Outcome::done ? 0 : ended_early("stream");
}

struct ImageCommand {
  std::string_view name;
  int (*run)(const Invocation& invocation);
};

constexpr ImageCommand image_commands[] = {{"info", show_info}, {"create", create}, {"overlay", overlay},
                                           {"commit", commit},  {"rebase", rebase}, {"stream", stream}};

}  // namespace

int run_image(const Invocation& invocation) {
  const Words& words = invocation.words;
  if (words.empty()) throw UsageError("image: a command is missing");
  const auto* found = std::ranges::find(image_commands, words[0], &ImageCommand::name);
  if (found == std::end(image_commands)) throw UsageError("image: '" + words[0] + "' is no command");
  const EndSignals signals;
  try {
    return found->run({invocation.file, {words.begin() + 1, words.end()}});
  } catch (const Error& error) {
    if (error.code() != ErrorCode::refused) throw;
    std::cerr << "pbotvm: " << error_line(error.what()) << '\n';
    return failed;
  }
}

}  // namespace pbotvm::cli

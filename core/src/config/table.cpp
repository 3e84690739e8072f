// SPDX-License-Identifier: MIT
#include "config/table.h"

#include <algorithm>
#include <thread>

namespace pbotvm::config {

namespace {

using C = Configuration;
using M = MachineConfiguration;

constexpr std::uint64_t mib = 1024 * 1024;
constexpr std::uint64_t most_output = 1024 * mib;         // bytes; the host keeps a job's output in memory
constexpr std::uint64_t most_memory = 1024 * 1024 * mib;  // bytes
constexpr std::uint64_t most_file = 1024 * 1024 * mib;    // bytes
constexpr std::int64_t most_waiting = 100'000;
constexpr std::size_t most_aliases = 32;
constexpr std::int64_t most_slots = 64;  // as docs/protocol.md bounds them
constexpr std::int64_t most_processes = 100'000;
// A guest hands back at most 16 MiB in 256 files, of which the files of a persist-key take up to 128.
constexpr std::uint64_t most_handed_back = 16 * mib;
constexpr std::int64_t most_files_handed_back = 128;
constexpr std::int64_t most_keys = 1'000'000;
constexpr std::int64_t most_pastes = 100'000;
constexpr std::uint64_t least_paste = 64 * 1024;                  // bytes: a usual one must have room
constexpr std::uint64_t most_pasted = 1024ull * 1024 * mib;       // bytes
constexpr std::int64_t least_entries = 2, most_entries = 10'000;  // `diff` needs two; the original keeps 10 000
constexpr std::uint64_t least_history = 8 * mib;                  // bytes: an entry has up to 1 MiB
constexpr std::uint64_t most_history = 16 * 1024 * mib;           // bytes
// Context ids 0 to 2 and the highest number have a meaning of their own, vsock(7).
constexpr std::int64_t local_cid = 1, first_cid = 3, last_cid = 0xfffffffe;
constexpr const char* language_characters = "abcdefghijklmnopqrstuvwxyz0123456789+#_.-";

const std::string an_endpoint = "port, ADDRESS:PORT, unix:PATH, or 0 for none";

void set_port(C& c, const Given& g) {
  c.server = static_cast<std::uint16_t>(g.value.integer(1, 65535));
}

void set_queue_limit(C& c, const Given& g) {
  c.queue_limit = static_cast<std::uint32_t>(g.value.integer(1, most_waiting));
}

void set_process_limit(C& c, const Given& g) {
  c.process_limit = static_cast<std::uint32_t>(g.value.integer(1, most_processes));
}

void set_language(C& c, const Given& g) {
  c.language = word(g.value, language_characters, "small letters, digits, '+', '#', '_', '.' and '-'");
}

void set_paste_url(C& c, const Given& g) {
  const std::string text = plain_text(g.value);
  const bool link = text.starts_with("http://") || text.starts_with("https://");
  if (text != "none" && (!link || text.find(' ') != std::string::npos))
    g.value.fail("found '" + text + "', a URL that begins with http:// or https://, or none, is accepted");
  c.paste_url = text == "none" ? std::string() : text;
}

void set_log_level(C& c, const Given& g) {
  c.log_level = static_cast<LogLevel>(choice(g.value, {"error", "warning", "information", "debug"}));
}

// Fewer would leave processors idle while jobs read and write; more would only make each of them slower.
std::uint32_t usual_slots() {
  return std::clamp(2 * std::thread::hardware_concurrency(), 4u, 8u);
}

void set_slots(M& m, const Given& g) {
  m.slots = g.value.is_scalar() && g.value.text() == "auto"
                ? usual_slots()
                : static_cast<std::uint32_t>(g.value.integer(1, most_slots));
}

void set_cid(M& m, const Given& g) {
  const std::int64_t cid = g.value.integer(0, last_cid);
  if (cid != 0 && cid != local_cid && cid < first_cid)
    g.value.fail("found '" + std::to_string(cid) +
                 "', which is reserved; 0 for none, 1 for this system itself (vsock loopback) or a number from 3 on is "
                 "accepted");
  m.settings.cid = static_cast<std::uint32_t>(cid);
}

void set_vport(M& m, const Given& g) {
  m.settings.vport = static_cast<std::uint32_t>(g.value.integer(1, last_cid));
}

void set_revert(M& m, const Given& g) {
  m.revert = static_cast<RevertPolicy>(choice(g.value, {"never", "on-doubt", "on-fault", "always"}));
}

void set_aliases(M& m, const Given& g) {
  const auto nodes = g.value.items();
  if (nodes.size() > most_aliases) g.value.fail("found more than " + std::to_string(most_aliases) + " names");
  m.aliases.clear();
  for (const auto& node : nodes) m.aliases.push_back(machine_name(node, node.text()));
}

void set_protocol(M& m, const Given& g) {
  m.protocol = static_cast<Dialect>(choice(g.value, {"frames", "pbot"}));
}

// Another source may choose another plug-in by its name; what a lower one says of a plug-in of that name stays with it.
void keep_settings(PluginChoice& choice, const Given& given, const std::vector<PluginChoice>& lower) {
  if (given.origin == Origin::built_in || given.origin == Origin::file) return;
  for (const auto& other : lower)
    if (other.plugin == choice.plugin) choice.settings = other.settings;
}

void set_heartbeat(M& m, const Given& g) {
  const std::vector<PluginChoice> lower = {m.heartbeat};
  m.heartbeat = plugin_choice(g.value, "heartbeat");
  keep_settings(m.heartbeat, g, lower);
}

void set_hypervisor(M& m, const Given& g) {
  const std::vector<PluginChoice> lower = {m.hypervisor};
  m.hypervisor = plugin_choice(g.value, "qemu");
  keep_settings(m.hypervisor, g, lower);
}

void set_transports(M& m, const Given& g) {
  const std::vector<PluginChoice> lower = std::move(m.transports);
  m.transports = plugin_choices(g);
  m.transports_named = g.origin != Origin::built_in;
  for (auto& one : m.transports) keep_settings(one, g, lower);
}

std::vector<Row> host_rows() {
  return {
      {"host.address",
       {"PBOTVM_ADDR"},
       "address or host name",
       "127.0.0.1",
       "where clients are served, and where vm-client connects",
       [](C& c, const Given& g) { c.address = host_address(g.value); },
       {}},
      {"host.server", {"PBOTVM_SERVER", "PBOTVM_PORT"}, "port", "9000", "its TCP port", set_port, {}},
      {"host.timeout",
       {"PBOTVM_TIMEOUT"},
       "seconds",
       "10",
       "how long a job may run once it has its lease; a step's CPU limit is the same",
       [](C& c, const Given& g) { c.timeout = duration(g.value); },
       {}},
      {"host.queue_timeout",
       {"PBOTVM_QUEUE_TIMEOUT"},
       "seconds",
       "10",
       "how long a job may wait for a lease",
       [](C& c, const Given& g) { c.queue_timeout = duration(g.value); },
       {}},
      {"host.queue_limit",
       {"PBOTVM_QUEUE_LIMIT"},
       "number",
       "64",
       "requests that may wait for one machine; more are turned away",
       set_queue_limit,
       {}},
      {"host.output_limit",
       {"PBOTVM_OUTPUT_LIMIT"},
       "bytes",
       "256 KiB",
       "output of a job; beyond it the job is ended and the reply says so",
       [](C& c, const Given& g) { c.output_limit = g.value.bytes(1, most_output); },
       {}},
      {"host.memory_limit",
       {"PBOTVM_MEMORY_LIMIT"},
       "bytes",
       "512 MiB",
       "memory of a job, with what it writes to its directory and /tmp",
       [](C& c, const Given& g) { c.memory_limit = g.value.bytes(mib, most_memory); },
       {}},
      {"host.process_limit",
       {"PBOTVM_PROCESS_LIMIT"},
       "number",
       "200",
       "processes and threads of a job at one time",
       set_process_limit,
       {}},
      {"host.file_limit",
       {"PBOTVM_FILE_LIMIT"},
       "bytes",
       "32 MiB",
       "size of one file of a job",
       [](C& c, const Given& g) { c.file_limit = g.value.bytes(1, most_file); },
       {}},
      {"host.collect_limit",
       {"PBOTVM_COLLECT_LIMIT"},
       "bytes",
       "4 MiB",
       "the files that a job hands back to its client, all together",
       [](C& c, const Given& g) { c.collect_limit = g.value.bytes(1, most_handed_back); },
       {}},
      {"host.collect_files",
       {"PBOTVM_COLLECT_FILES"},
       "number",
       "64",
       "how many files that are at most",
       [](C& c, const Given& g) {
         c.collect_files = static_cast<std::uint32_t>(g.value.integer(1, most_files_handed_back));
       },
       {}},
      {"host.persist_limit",
       {"PBOTVM_PERSIST_LIMIT"},
       "bytes",
       "1 MiB",
       "the files that are kept under one persist-key, all together",
       [](C& c, const Given& g) { c.persist_limit = g.value.bytes(1, most_handed_back); },
       {}},
      {"host.persist_keys",
       {"PBOTVM_PERSIST_KEYS"},
       "number",
       "1000",
       "how many persist-keys have files at most",
       [](C& c, const Given& g) { c.persist_keys = static_cast<std::uint32_t>(g.value.integer(1, most_keys)); },
       {}},
      {"host.paste_files",
       {"PBOTVM_PASTE_FILES"},
       "number",
       "1000",
       "how many replies to -paste are kept, the oldest go first; 0 turns -paste off",
       [](C& c, const Given& g) { c.paste_files = static_cast<std::uint32_t>(g.value.integer(0, most_pastes)); },
       {}},
      {"host.paste_limit",
       {"PBOTVM_PASTE_LIMIT"},
       "bytes",
       "64 MiB",
       "what they take all together",
       [](C& c, const Given& g) { c.paste_limit = g.value.bytes(least_paste, most_pasted); },
       {}},
      {"host.paste_url",
       {"PBOTVM_PASTE_URL"},
       "URL or none",
       "none",
       "what -paste answers in front of the file's name, where a web server serves STATE/paste; none: its path",
       set_paste_url,
       {}},
      {"host.fortune",
       {"PBOTVM_FORTUNE"},
       "true or false",
       "true",
       "a program whose request brings no standard input reads one line of `fortune -s`, as with PBot",
       [](C& c, const Given& g) { c.fortune = g.value.boolean(); },
       {}},
      {"host.warm_up",
       {"PBOTVM_WARM_UP"},
       "seconds",
       "30",
       "how long languages are run once, one for each set of tools, before a machine's snapshot is taken",
       [](C& c, const Given& g) { c.warm_up = duration(g.value); },
       {}},
      {"host.history",
       {"PBOTVM_HISTORY"},
       "true or false",
       "true",
       "what was run in each channel and language is remembered, for edits such as s/a/b/; false: those are code",
       [](C& c, const Given& g) { c.history = g.value.boolean(); },
       {}},
      {"host.history_entries",
       {"PBOTVM_HISTORY_ENTRIES"},
       "number",
       "100",
       "how many are remembered of one channel and language",
       [](C& c, const Given& g) {
         c.history_entries = static_cast<std::uint32_t>(g.value.integer(least_entries, most_entries));
       },
       {}},
      {"host.history_size",
       {"PBOTVM_HISTORY_SIZE"},
       "bytes",
       "64 MiB",
       "what all of them take together",
       [](C& c, const Given& g) { c.history_size = g.value.bytes(least_history, most_history); },
       {}},
      {"host.same_output",
       {"PBOTVM_SAME_OUTPUT"},
       "true or false",
       "true",
       "a `#` channel that is shown the same output of a language twice within 4 minutes reads `Same output.`, as with "
       "PBot",
       [](C& c, const Given& g) { c.same_output = g.value.boolean(); },
       {}},
      {"host.language",
       {"PBOTVM_LANGUAGE"},
       "language",
       "c2x",
       "language of a request that names none",
       set_language,
       {}},
      {"host.plugins",
       {"PBOTVM_PLUGINS"},
       "directories",
       "PREFIX/lib/pbotvm",
       "directories of plug-ins (environment: colon-separated)",
       [](C& c, const Given& g) { c.plugins = paths(g); },
       {}},
      {"host.languages",
       {"PBOTVM_LANGUAGES"},
       "directories",
       "PREFIX/share/pbotvm/languages",
       "directories of YAML language definitions, later ones win (environment: colon-separated)",
       [](C& c, const Given& g) { c.languages = paths(g); },
       {}},
      {"host.state",
       {"PBOTVM_STATE"},
       "directory",
       "/run/pbotvm",
       "run-time state; built in where host.server is not 9000: /run/pbotvm-PORT",
       [](C& c, const Given& g) { c.state = path(g, g.value); },
       {}},
      {"host.user",
       {"PBOTVM_USER"},
       "user",
       "pbotvm",
       "whom a host that root started becomes",
       [](C& c, const Given& g) { c.user = plain_text(g.value); },
       {}},
      {"host.log_level",
       {"PBOTVM_LOG_LEVEL"},
       "error, warning, information or debug",
       "information",
       "what is logged",
       set_log_level,
       {}},
      {"default_machine",
       {"PBOTVM_MACHINE"},
       "machine",
       "pbot-vm",
       "the machine of a request that names none, and the one the environment speaks for",
       [](C& c, const Given& g) { c.default_machine = machine_name(g.value, g.value.text()); },
       {}},
  };
}

std::vector<Row> machine_rows() {
  return {
      {"machines.NAME.domain",
       {"PBOTVM_DOMAIN"},
       "text",
       "NAME",
       "libvirt domain identifier, QEMU name",
       {},
       [](M& m, const Given& g) { m.settings.domain = plain_text(g.value); }},
      {"machines.NAME.serial",
       {"PBOTVM_SERIAL"},
       an_endpoint,
       "5555",
       "the data serial line (guest ttyS2)",
       {},
       [](M& m, const Given& g) { m.settings.serial = endpoint(g.value); }},
      {"machines.NAME.heart",
       {"PBOTVM_HEART", "PBOTVM_HEALTH"},
       an_endpoint,
       "5556",
       "the heartbeat line (guest ttyS3)",
       {},
       [](M& m, const Given& g) { m.settings.heart = endpoint(g.value); }},
      {"machines.NAME.virtio_serial",
       {"PBOTVM_VIRTIO_SERIAL"},
       an_endpoint,
       "unix:machines/NAME/virtio-serial.sock",
       "the virtio-serial port; a relative path is below host.state",
       {},
       [](M& m, const Given& g) { m.settings.virtio_serial = endpoint(g.value); }},
      {"machines.NAME.image",
       {"PBOTVM_IMAGE"},
       "directory",
       "PREFIX/share/pbotvm/image",
       "the guest image that the machine is started from",
       {},
       [](M& m, const Given& g) { m.settings.image = path(g, g.value).string(); }},
      {"machines.NAME.heartbeat",
       {},
       "plug-in or map",
       "{plugin: heartbeat, mode: beat}",
       "beat: the guest writes a newline every 5 s; poll: for guests that only answer",
       {},
       set_heartbeat},
      {"machines.NAME.cid", {"PBOTVM_CID"}, "number", "7", "VM socket context id; 0 turns vsock off", {}, set_cid},
      {"machines.NAME.vport", {"PBOTVM_VPORT"}, "number", "5555", "VM socket service port", {}, set_vport},
      {"machines.NAME.revert",
       {"PBOTVM_NOREVERT"},
       "never, on-doubt, on-fault or always",
       "on-fault",
       "when the machine goes back to its snapshot (PBOTVM_NOREVERT set and neither empty nor 0: never)",
       {},
       set_revert,
       true},
      {"machines.NAME.boot_timeout",
       {"PBOTVM_BOOT_TIMEOUT"},
       "seconds",
       "180",
       "how long a boot may take until the guest answers; then the machine is started again",
       {},
       [](M& m, const Given& g) { m.boot_timeout = duration(g.value); }},
      {"machines.NAME.snapshot",
       {},
       "text",
       "\"1\"",
       "the snapshot to go back to",
       {},
       [](M& m, const Given& g) { m.settings.snapshot = plain_text(g.value); }},
      {"machines.NAME.hypervisor.plugin",
       {"PBOTVM_HYPERVISOR"},
       "plug-in",
       "qemu",
       "which back end; the rest of this map is the back end's own",
       {},
       set_hypervisor},
      {"machines.NAME.transports",
       {"PBOTVM_TRANSPORTS"},
       "plug-ins",
       "[vsock, virtio-serial, serial]",
       "in order of preference, each falling back to the next (environment: comma-separated)",
       {},
       set_transports},
      {"machines.NAME.protocol",
       {},
       "frames or pbot",
       "frames",
       "what the guest speaks: this project's frames, or only the original's JSON lines",
       {},
       set_protocol},
      {"machines.NAME.slots",
       {"PBOTVM_SLOTS"},
       "number or auto",
       "auto",
       "jobs that run on it at one time; auto: two for each processor, 4 to 8; one where it is reverted after every "
       "job, or speaks the original's dialect",
       {},
       set_slots},
      {"machines.NAME.aliases",
       {},
       "names",
       "[]",
       "other names by which requests and commands may call it; no name belongs to two machines",
       {},
       set_aliases},
      {"machines.NAME.network",
       {"PBOTVM_NETWORK"},
       "true or false",
       "false",
       "jobs use the guest's own network; otherwise they find an empty one",
       {},
       [](M& m, const Given& g) { m.network = g.value.boolean(); }},
  };
}

}  // namespace

const std::vector<Row>& table() {
  static const std::vector<Row> rows = [] {
    std::vector<Row> all = host_rows();
    for (auto& row : machine_rows()) all.push_back(std::move(row));
    return all;
  }();
  return rows;
}

std::vector<SettingRow> settings_table() {
  std::vector<SettingRow> rows;
  for (const auto& row : table()) rows.push_back({row.yaml, row.environment, row.type, row.fallback, row.meaning});
  return rows;
}

}  // namespace pbotvm::config

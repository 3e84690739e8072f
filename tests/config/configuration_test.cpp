// SPDX-License-Identifier: MIT
#include "config/configuration.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace pbotvm::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class ConfigurationTest : public ::testing::Test {
 protected:
  ConfigurationTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "pbotvm-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern);
    directory = std::filesystem::canonical(pattern);
    file = (directory / "x.yaml").string();
    sources.install_prefix = "/opt/pbotvm";
    sources.default_file = directory / "default.yaml";
  }
  ~ConfigurationTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
  }

  void write(const std::string& text) {
    std::ofstream(file) << text;
    sources.file = file;
  }

  Configuration load() const { return config::load(sources); }

  std::string failure() const {
    try {
      load();
    } catch (const ConfigurationError& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      return error.what();
    }
    return "accepted";
  }

  /// Of a file; "FILE" stands for its name.
  std::string file_failure(const std::string& text) {
    write(text);
    std::string message = failure();
    for (auto at = message.find(file); at != std::string::npos; at = message.find(file))
      message.replace(at, file.size(), "FILE");
    return message;
  }

  std::string environment_failure(const std::string& name, const std::string& value) {
    sources.environment = {{name, value}};
    return failure();
  }

  std::string option_failure(const std::string& key, const std::string& value) {
    sources.command_line = {{key, value}};
    return failure();
  }

  std::filesystem::path directory;
  std::string file;
  Sources sources;
};

std::vector<std::string> names(const std::vector<PluginChoice>& choices) {
  std::vector<std::string> result;
  for (const auto& choice : choices) result.push_back(choice.plugin);
  return result;
}

/// Everything that a configuration says, to compare two of them.
std::string dump(const Configuration& c) {
  std::ostringstream out;
  const auto plugin = [&](const PluginChoice& choice) {
    out << choice.plugin << "{";
    for (const auto& [key, value] : choice.settings.entries()) out << key << "=" << value.text() << " ";
    out << "} ";
  };
  out << c.address << " " << c.server << " " << c.timeout.count() << " " << c.queue_timeout.count() << " "
      << c.queue_limit << " " << c.output_limit << " " << c.memory_limit << " " << c.process_limit << " "
      << c.file_limit << " " << c.collect_limit << " " << c.collect_files << " " << c.persist_limit << " "
      << c.persist_keys << " " << c.paste_files << " " << c.paste_limit << " " << c.paste_url << " " << c.fortune << " "
      << c.warm_up.count() << " " << c.history << " " << c.history_entries << " " << c.history_size << " " << c.language
      << " " << c.state << " " << c.user << " " << static_cast<int>(c.log_level) << " " << c.default_machine << "\n";
  for (const auto& path : c.plugins) out << path << " ";
  for (const auto& path : c.languages) out << path << " ";
  for (const auto& m : c.machines) {
    const auto& s = m.settings;
    out << "\n"
        << s.name << " " << s.domain << " " << s.serial.text() << " " << s.heart.text() << " " << s.virtio_serial.text()
        << " " << s.cid << " " << s.vport << " " << s.snapshot << " " << s.image << " " << s.directory << " "
        << static_cast<int>(m.revert) << " " << static_cast<int>(m.protocol) << " ";
    for (const auto& transport : m.transports) plugin(transport);
    plugin(m.heartbeat);
    plugin(m.hypervisor);
  }
  return out.str();
}

// ---- Defaults and layers

TEST_F(ConfigurationTest, HasADefaultForEverything) {
  const Configuration c = load();
  EXPECT_EQ(dump(c),
            "127.0.0.1 9000 10000 10000 64 262144 536870912 200 33554432 4194304 64 1048576 1000 1000 67108864  1 "
            "30000 1 100 67108864 c2x \"/run/pbotvm\" "
            "pbotvm 2 pbot-vm\n"
            "\"/opt/pbotvm/lib/pbotvm\" \"/opt/pbotvm/share/pbotvm/languages\" \n"
            "pbot-vm pbot-vm 127.0.0.1:5555 127.0.0.1:5556 unix:machines/pbot-vm/virtio-serial.sock 7 5555 1 "
            "/opt/pbotvm/share/pbotvm/image machines/pbot-vm 2 0 vsock{} virtio-serial{} serial{} heartbeat{mode=beat "
            "} qemu{} ");
  EXPECT_FALSE(c.machines.at(0).transports_named);
}

TEST_F(ConfigurationTest, LaterSourcesWin) {
  EXPECT_EQ(load().server, 9000);
  write("host: {server: 9001}");
  EXPECT_EQ(load().server, 9001);
  sources.environment["PBOTVM_SERVER"] = "9002";
  EXPECT_EQ(load().server, 9002);
  sources.command_line = {{"host.server", "9003"}};
  EXPECT_EQ(load().server, 9003);
}

TEST_F(ConfigurationTest, ReadsEveryVariable) {
  sources.environment = {{"PBOTVM_ADDR", "::1"},
                         {"PBOTVM_PORT", "1"},
                         {"PBOTVM_TIMEOUT", "2.5"},
                         {"PBOTVM_QUEUE_TIMEOUT", "3"},
                         {"PBOTVM_QUEUE_LIMIT", "4"},
                         {"PBOTVM_OUTPUT_LIMIT", "5 KiB"},
                         {"PBOTVM_MEMORY_LIMIT", "6 MiB"},
                         {"PBOTVM_PROCESS_LIMIT", "7"},
                         {"PBOTVM_FILE_LIMIT", "8"},
                         {"PBOTVM_COLLECT_LIMIT", "9"},
                         {"PBOTVM_COLLECT_FILES", "10"},
                         {"PBOTVM_PERSIST_LIMIT", "11"},
                         {"PBOTVM_PERSIST_KEYS", "12"},
                         {"PBOTVM_PASTE_FILES", "13"},
                         {"PBOTVM_PASTE_LIMIT", "1 MiB"},
                         {"PBOTVM_PASTE_URL", "https://p/"},
                         {"PBOTVM_FORTUNE", "false"},
                         {"PBOTVM_WARM_UP", "14"},
                         {"PBOTVM_HISTORY", "false"},
                         {"PBOTVM_HISTORY_ENTRIES", "15"},
                         {"PBOTVM_HISTORY_SIZE", "16 MiB"},
                         {"PBOTVM_LANGUAGE", "c++20"},
                         {"PBOTVM_PLUGINS", "/a:/b/"},
                         {"PBOTVM_LANGUAGES", "/c"},
                         {"PBOTVM_STATE", "/d/../e"},
                         {"PBOTVM_USER", "me"},
                         {"PBOTVM_LOG_LEVEL", "debug"},
                         {"PBOTVM_MACHINE", "m"},
                         {"PBOTVM_DOMAIN", "dom"},
                         {"PBOTVM_SERIAL", "unix:s"},
                         {"PBOTVM_HEALTH", "10"},
                         {"PBOTVM_VIRTIO_SERIAL", "0"},
                         {"PBOTVM_IMAGE", "/i"},
                         {"PBOTVM_CID", "11"},
                         {"PBOTVM_VPORT", "12"},
                         {"PBOTVM_NOREVERT", "1"},
                         {"PBOTVM_HYPERVISOR", "none"},
                         {"PBOTVM_TRANSPORTS", "serial,vsock"},
                         {"HOME", "/root"}};
  const Configuration c = load();
  EXPECT_EQ(dump(c),
            "::1 1 2500 3000 4 5120 6291456 7 8 9 10 11 12 13 1048576 https://p/ 0 14000 0 15 16777216 c++20 \"/e\" me "
            "3 m\n\"/a\" "
            "\"/b\" \"/c\" \n"
            "m dom unix:s 127.0.0.1:10 0 11 12 1 /i machines/m 0 0 serial{} vsock{} heartbeat{mode=beat } none{} ");
  EXPECT_TRUE(c.machines.at(0).transports_named);
}

TEST_F(ConfigurationTest, ReadsEveryKeyOfAFile) {
  write(
      "default_machine: b\n"
      "host: {address: example.org, server: 1, timeout: 0.5, queue_timeout: 2, queue_limit: 3, output_limit: 4,\n"
      "       memory_limit: 1 GiB, process_limit: 5, file_limit: 6, collect_limit: 7, collect_files: 8, persist_limit: "
      "9,\n"
      "       persist_keys: 10, paste_files: 0, paste_limit: 64 KiB, paste_url: 'http://q/?', fortune: false,\n"
      "       warm_up: 0.5, history: false, history_entries: 2, history_size: 8 MiB, language: sh, plugins: lib, "
      "languages: [one, "
      "/two],\n"
      "       state: run, user: u, log_level: error}\n"
      "machines:\n"
      "  a: {serial: 21, heart: 22, cid: 0}\n"
      "  b:\n"
      "    domain: dom\n"
      "    serial: '[::1]:31'\n"
      "    heart: 10.0.0.1:32\n"
      "    virtio_serial: unix:v\n"
      "    image: img\n"
      "    heartbeat: {mode: poll}\n"
      "    cid: 33\n"
      "    vport: 34\n"
      "    revert: always\n"
      "    snapshot: clean\n"
      "    hypervisor: {plugin: libvirt, uri: qemu:///system}\n"
      "    transports: [vsock, {plugin: serial, speed: 3}]\n"
      "    protocol: frames\n");
  const std::string here = directory.string();
  EXPECT_EQ(dump(load()),
            "example.org 1 500 2000 3 4 1073741824 5 6 7 8 9 10 0 65536 http://q/? 0 500 0 2 8388608 sh \"" + here +
                "/run\" u 0 b\n\"" + here + "/lib\" \"" + here +
                "/one\" \"/two\" \n"
                "a a 127.0.0.1:21 127.0.0.1:22 unix:machines/a/virtio-serial.sock 0 5555 1 "
                "/opt/pbotvm/share/pbotvm/image machines/a 2 0 "
                "vsock{} virtio-serial{} serial{} heartbeat{mode=beat } qemu{} \n"
                "b dom [::1]:31 10.0.0.1:32 unix:v 33 34 clean " +
                here +
                "/img machines/b 3 0 vsock{} serial{speed=3 } "
                "heartbeat{mode=poll } libvirt{uri=qemu:///system } ");
}

TEST_F(ConfigurationTest, FindsTheFile) {
  std::ofstream(directory / "default.yaml") << "host: {server: 1}";
  std::ofstream(directory / "variable.yaml") << "host: {server: 2}";
  EXPECT_EQ(load().server, 1);
  sources.environment["PBOTVM_CONFIG"] = (directory / "variable.yaml").string();
  EXPECT_EQ(load().server, 2);
  write("host: {server: 3}");
  EXPECT_EQ(load().server, 3);
}

TEST_F(ConfigurationTest, DemandsTheFileThatIsNamed) {
  sources.file = directory / "absent.yaml";
  EXPECT_EQ(failure(), (directory / "absent.yaml").string() + ": error: cannot be opened: No such file or directory");
  sources.file.reset();
  sources.environment["PBOTVM_CONFIG"] = (directory / "absent.yaml").string();
  EXPECT_EQ(failure(), (directory / "absent.yaml").string() + ": error: cannot be opened: No such file or directory");
  sources.environment["PBOTVM_CONFIG"] = "";
  EXPECT_EQ(failure(), "PBOTVM_CONFIG: error: found an empty value, the name of a file is accepted");
}

TEST_F(ConfigurationTest, RelativePathsOfTheEnvironmentAreRelativeToTheWorkingDirectory) {
  write("host: {plugins: ignored}");
  sources.environment["PBOTVM_PLUGINS"] = "lib:../other";
  const auto here = std::filesystem::current_path();
  EXPECT_THAT(load().plugins, ElementsAre(here / "lib", (here / "../other").lexically_normal()));
}

TEST_F(ConfigurationTest, TheEnvironmentSpeaksForTheDefaultMachineOnly) {
  write("default_machine: b\nmachines:\n  a: {serial: 1, heart: 2, cid: 3}\n  b: {serial: 4, heart: 5, cid: 6}\n");
  sources.environment = {{"PBOTVM_SERIAL", "7"}, {"PBOTVM_NOREVERT", "yes"}};
  const Configuration c = load();
  EXPECT_EQ(c.machines[0].settings.serial.port, 1);
  EXPECT_EQ(c.machines[0].revert, RevertPolicy::on_fault);
  EXPECT_EQ(c.machines[1].settings.serial.port, 7);
  EXPECT_EQ(c.machines[1].revert, RevertPolicy::never);
  sources.environment["PBOTVM_MACHINE"] = "a";
  EXPECT_EQ(load().machines[0].settings.serial.port, 7);
  EXPECT_EQ(load().machines[1].settings.serial.port, 4);
}

TEST_F(ConfigurationTest, NoRevertIsOffWhenEmptyOrZero) {
  for (const char* value : {"", "0"}) {
    sources.environment["PBOTVM_NOREVERT"] = value;
    EXPECT_EQ(load().machines[0].revert, RevertPolicy::on_fault);
  }
}

TEST_F(ConfigurationTest, AMachineIsKnownByItsNameAndItsAliasesInAnyCase) {
  write("machines: {pbot-vm: {aliases: [main, Old.One]}, b: {serial: 1, heart: 2, cid: 9}}");
  const Configuration c = load();
  for (const char* called : {"pbot-vm", "PBOT-VM", "main", "old.one"}) EXPECT_EQ(c.name_of_machine(called), "pbot-vm");
  EXPECT_EQ(c.name_of_machine("b"), "b");
  EXPECT_EQ(c.name_of_machine("none"), "none");
}

TEST_F(ConfigurationTest, NoNameBelongsToTwoMachines) {
  const std::string b = "\n  b: {serial: 1, heart: 2, cid: 9, aliases: [";
  EXPECT_EQ(file_failure("machines:\n  pbot-vm:" + b + "Pbot-VM]}"),
            "FILE:3:45: error: found the alias 'Pbot-VM', by which 'pbot-vm' is known already; no name belongs to two "
            "machines");
  EXPECT_THAT(file_failure("machines:\n  pbot-vm: {aliases: [x]}" + b + "x]}"), HasSubstr("found the alias 'x'"));
  EXPECT_THAT(file_failure("machines:\n  pbot-vm: {aliases: [\"a b\"]}"), HasSubstr("found the machine name 'a b'"));
  EXPECT_THAT(file_failure("machines:\n  pbot-vm:\n  PBOT-VM: {serial: 1, heart: 2, cid: 9}"),
              HasSubstr("which is the same name to a request"));
}

TEST_F(ConfigurationTest, APluginKeepsItsSettingsWhenItIsNamedAgain) {
  write(
      "machines:\n  pbot-vm:\n    hypervisor: {plugin: qemu, memory: 2 GiB}\n"
      "    transports: [vsock, {plugin: serial, speed: 3}]\n");
  sources.environment = {{"PBOTVM_HYPERVISOR", "qemu"}, {"PBOTVM_TRANSPORTS", "serial"}};
  Configuration c = load();
  EXPECT_EQ(c.machines[0].hypervisor.settings.text("memory", ""), "2 GiB");
  EXPECT_THAT(names(c.machines[0].transports), ElementsAre("serial"));
  EXPECT_EQ(c.machines[0].transports[0].settings.text("speed", ""), "3");
  sources.environment["PBOTVM_HYPERVISOR"] = "none";
  c = load();
  EXPECT_EQ(c.machines[0].hypervisor.plugin, "none");
  EXPECT_TRUE(c.machines[0].hypervisor.settings.entries().empty());
}

TEST_F(ConfigurationTest, ThePluginsOwnMapComesWithoutItsNameAndKnowsItsPlace) {
  write("machines:\n  pbot-vm:\n    transports:\n      - {plugin: serial, speed: 3}\n");
  const Settings own = load().machines[0].transports[0].settings;
  ASSERT_EQ(own.entries().size(), 1u);
  EXPECT_EQ(own.key("speed").position(), file + ":4:26");
}

TEST_F(ConfigurationTest, TheCommandLineReachesAnyMachine) {
  write("default_machine: a\nmachines: {a: , b.c: {serial: 1, heart: 2, cid: 9}}");
  sources.command_line = {{"machines.b.c.serial", "77"}, {"machines.b.c.hypervisor.plugin", "none"}};
  const Configuration c = load();
  EXPECT_EQ(c.machines[1].settings.serial.port, 77);
  EXPECT_EQ(c.machines[1].hypervisor.plugin, "none");
}

// ---- Mistakes in the file

TEST_F(ConfigurationTest, NamesTheNearestKeyAtEveryLevel) {
  EXPECT_EQ(file_failure("hots:\n  server: 1\n"),
            "FILE:1:1: error: unknown key 'hots', accepted are host, machines, default_machine; did you mean 'host'?");
  EXPECT_EQ(file_failure("host:\n  address: ::1\n  sever: 9001\n"),
            "FILE:3:3: error: unknown key 'sever', accepted are address, server, timeout, queue_timeout, queue_limit, "
            "output_limit, memory_limit, process_limit, file_limit, collect_limit, collect_files, persist_limit, "
            "persist_keys, paste_files, paste_limit, paste_url, fortune, warm_up, history, history_entries, "
            "history_size, same_output, language, plugins, languages, state, user, "
            "log_level; did you mean 'server'?");
  EXPECT_EQ(
      file_failure("machines:\n  pbot-vm:\n    serail: 1\n"),
      "FILE:3:5: error: unknown key 'serail', accepted are domain, serial, heart, virtio_serial, image, heartbeat, "
      "cid, vport, revert, boot_timeout, snapshot, hypervisor, transports, protocol, slots, aliases, network; did you "
      "mean "
      "'serial'?");
}

TEST_F(ConfigurationTest, TakesOnlyALinkForPastes) {
  EXPECT_EQ(load().paste_url, "");
  EXPECT_EQ(file_failure("host:\n  paste_url: paste.example.org\n"),
            "FILE:2:14: error: found 'paste.example.org', a URL that begins with http:// or https://, or none, is "
            "accepted");
}

TEST_F(ConfigurationTest, GivesHostsOfDifferentPortsDifferentStateDirectories) {
  EXPECT_EQ(load().state, "/run/pbotvm");
  sources.environment = {{"PBOTVM_SERVER", "9000"}};
  EXPECT_EQ(load().state, "/run/pbotvm");
  sources.environment = {{"PBOTVM_DOMAIN", "other-vm"},
                         {"PBOTVM_SERVER", "9001"},
                         {"PBOTVM_SERIAL", "7777"},
                         {"PBOTVM_HEART", "7778"},
                         {"PBOTVM_TIMEOUT", "30"}};
  EXPECT_EQ(load().state, "/run/pbotvm-9001");
  sources.environment["PBOTVM_STATE"] = "/run/pbotvm";
  EXPECT_EQ(load().state, "/run/pbotvm");
}

TEST_F(ConfigurationTest, SaysWhatIsAcceptedInsteadOfAWrongValue) {
  EXPECT_EQ(file_failure("host:\n  server: 70000\n"),
            "FILE:2:11: error: found '70000', a whole number from 1 to 65535 is accepted");
  EXPECT_EQ(file_failure("host:\n  server:\n    - 1\n"),
            "FILE:3:5: error: found a list, a whole number from 1 to 65535 is accepted");
  EXPECT_EQ(file_failure("host:\n  timeout: 0\n"),
            "FILE:2:12: error: found '0', a number from 0.001 to 86400 is accepted");
  EXPECT_EQ(
      file_failure("host:\n  output_limit: 256 KB\n"),
      "FILE:2:17: error: found '256 KB', a number of bytes from 1 to 1073741824 is accepted, or a number of KiB, MiB "
      "or GiB such as '256 KiB'");
  EXPECT_EQ(file_failure("host:\n  log_level: info\n"),
            "FILE:2:14: error: found 'info', accepted are error, warning, information, debug");
  EXPECT_EQ(file_failure("host:\n  address: 300.1.1.1\n"),
            "FILE:2:12: error: found '300.1.1.1', an IPv4 or IPv6 address or a host name is accepted");
  EXPECT_EQ(file_failure("host:\n  language: C\n"),
            "FILE:2:13: error: found 'C', accepted are small letters, digits, '+', '#', '_', '.' and '-'");
  EXPECT_EQ(file_failure("host:\n  plugins: []\n"),
            "FILE:2:12: error: found an empty list, at least one entry is accepted");
  EXPECT_EQ(file_failure("host:\n  state:\n"), "FILE:2:3: error: found nothing, a text is accepted");
  EXPECT_EQ(file_failure("host: 5\n"), "FILE:1:7: error: found '5', a map of keys and values is accepted");
  EXPECT_EQ(file_failure("just text\n"), "FILE:1:1: error: found 'just text', a map of keys and values is accepted");
}

TEST_F(ConfigurationTest, ChecksTheValuesOfAMachine) {
  const auto of = [this](const std::string& line) { return file_failure("machines:\n  pbot-vm:\n    " + line + "\n"); };
  EXPECT_EQ(
      of("serial: abc"),
      "FILE:3:13: error: found 'abc'; accepted are a port from 1 to 65535 on 127.0.0.1, ADDRESS:PORT, [IPV6]:PORT, "
      "unix:PATH, or 0 for none");
  EXPECT_EQ(
      of("cid: 2"),
      "FILE:3:10: error: found '2', which is reserved; 0 for none, 1 for this system itself (vsock loopback) or a "
      "number from 3 on is accepted");
  EXPECT_EQ(
      of("revert: on_fault"),
      "FILE:3:13: error: found 'on_fault', accepted are never, on-doubt, on-fault, always; did you mean 'on-fault'?");
  EXPECT_EQ(of("protocol: frame"),
            "FILE:3:15: error: found 'frame', accepted are frames, pbot; did you mean 'frames'?");
  EXPECT_EQ(of("slots: 0"), "FILE:3:12: error: found '0', a whole number from 1 to 64 is accepted");
  EXPECT_EQ(of("transports: [serial, vsock, serial]"),
            "FILE:3:33: error: duplicate name 'serial', each is accepted once");
  EXPECT_EQ(of("transports: [{speed: 3}]"),
            "FILE:3:18: error: found a map without the key 'plugin', accepted is {plugin: NAME, ...}");
  EXPECT_EQ(of("hypervisor: ../qemu"),
            "FILE:3:17: error: found '../qemu', accepted are names of plug-ins: small letters, digits and '-'");
  EXPECT_EQ(of("hypervisor: [qemu]"),
            "FILE:3:17: error: found neither a plug-in's name nor a map, accepted is NAME or {plugin: NAME, ...}");
}

TEST_F(ConfigurationTest, RefusesADuplicateMachineAndBrokenYaml) {
  EXPECT_EQ(file_failure("machines:\n  a: {}\n  a: {}\n"),
            "FILE:3:3: error: duplicate key 'a', which already stands at FILE:2:3");
  EXPECT_THAT(file_failure("host: [\n"), StartsWith("FILE:2:1: error: not valid YAML: "));
}

TEST_F(ConfigurationTest, RefusesNamesThatAreNoDirectory) {
  for (const std::string name : {"a/b", "..", ".a", "-a", "a..b", "a b", "'é'"})
    EXPECT_THAT(file_failure("machines:\n  " + name + ": {}\n"),
                StartsWith("FILE:2:3: error: found the machine name '"))
        << name;
  sources.file.reset();
  EXPECT_EQ(
      environment_failure("PBOTVM_MACHINE", "a/b"),
      "PBOTVM_MACHINE: error: found the machine name 'a/b', accepted are 1 to 64 letters, digits, '.', '_' and '-' "
      "without a leading '.' or '-', and without '..'");
}

TEST_F(ConfigurationTest, DemandsThatTheDefaultMachineIsThere) {
  const std::string machines = "machines: {vm-one: {}, vm-two: {serial: 1, heart: 2, cid: 0}}\n";
  EXPECT_EQ(
      file_failure(machines),
      "FILE:1:1: error: found no default_machine, and 'pbot-vm', which it is then, is not among the machines vm-one, "
      "vm-two");
  EXPECT_EQ(
      file_failure(machines + "default_machine: vm-on\n"),
      "FILE:2:18: error: found the default machine 'vm-on', which is not among the machines vm-one, vm-two; did you "
      "mean 'vm-one'?");
  write(machines);
  EXPECT_EQ(
      environment_failure("PBOTVM_MACHINE", "vm-three"),
      "PBOTVM_MACHINE: error: found the default machine 'vm-three', which is not among the machines vm-one, vm-two");
  sources.environment["PBOTVM_MACHINE"] = "vm-two";
  EXPECT_EQ(load().default_machine, "vm-two");
}

TEST_F(ConfigurationTest, WithoutMachinesThereIsTheDefaultOne) {
  for (const char* text : {"", "machines:\n", "machines: {}\n"}) {
    write(std::string("default_machine: other\n") + text);
    const Configuration c = load();
    ASSERT_EQ(c.machines.size(), 1u);
    EXPECT_EQ(c.machines[0].settings.name, "other");
  }
}

// ---- What must differ

TEST_F(ConfigurationTest, RefusesOnePortForTwoLinesWithBothPlaces) {
  EXPECT_EQ(
      file_failure("default_machine: a\nmachines:\n  a: {serial: 1, heart: 2}\n  b: {serial: 3, heart: 1, cid: 8}\n"),
      "FILE:4:25: error: found machines.b.heart to be 127.0.0.1:1, which machines.a.serial is too (FILE:3:15); give "
      "each its own");
  EXPECT_EQ(file_failure("host:\n  server: 5555\n"),
            "FILE:2:11: error: found host.server to be 127.0.0.1:5555, which machines.pbot-vm.serial is too (built-in "
            "default); give each its own");
  EXPECT_EQ(file_failure("host: {address: 0.0.0.0}\nmachines: {pbot-vm: {heart: 9000}}\n"),
            "FILE:2:29: error: found machines.pbot-vm.heart to be 127.0.0.1:9000, which host.server is too (built-in "
            "default); give each its own");
  EXPECT_EQ(file_failure("machines: {pbot-vm: {serial: unix:a, heart: unix:./a}}\n"),
            "FILE:1:45: error: found machines.pbot-vm.heart to be unix:./a, which machines.pbot-vm.serial is too "
            "(FILE:1:30); give each its own");
}

TEST_F(ConfigurationTest, NamesTheMachineWhoseDefaultsCollide) {
  EXPECT_EQ(file_failure("default_machine: a\nmachines:\n  a: {}\n  b: {}\n"),
            "FILE:4:3: error: found machines.b.serial to be 127.0.0.1:5555, which machines.a.serial is too (built-in "
            "default); give each its own");
  EXPECT_EQ(environment_failure("PBOTVM_SERVER", "5555").substr(0, 14), "PBOTVM_SERVER:");
}

TEST_F(ConfigurationTest, RefusesOneContextIdForTwoMachines) {
  const std::string text = "default_machine: a\nmachines:\n  a: {cid: 9}\n  b: {serial: 1, heart: 2, cid: 9";
  EXPECT_EQ(
      file_failure(text + "}\n"),
      "FILE:4:33: error: found machines.b.cid to be 9, which machines.a.cid is too (FILE:3:12); give each its own");
  EXPECT_EQ(file_failure(text + ", transports: serial}\n"), "accepted");
}

TEST_F(ConfigurationTest, LinesThatAreOffDoNotCollide) {
  EXPECT_EQ(file_failure("machines: {pbot-vm: {serial: 0, heart: 0, virtio_serial: 0}}\n"), "accepted");
}

// ---- Mistakes in the environment and on the command line

TEST_F(ConfigurationTest, NamesTheVariableThatIsWrong) {
  EXPECT_EQ(environment_failure("PBOTVM_SERVER", "abc"),
            "PBOTVM_SERVER: error: found 'abc', a whole number from 1 to 65535 is accepted");
  EXPECT_EQ(environment_failure("PBOTVM_TIMEOUT", ""),
            "PBOTVM_TIMEOUT: error: found an empty value, accepted is: seconds; unset it for the default");
  EXPECT_EQ(environment_failure("PBOTVM_TRANSPORTS", "serial,,vsock"),
            "PBOTVM_TRANSPORTS: error: found 'serial,,vsock', a list without empty parts is accepted");
  EXPECT_EQ(environment_failure("PBOTVM_TRANSPORTS", "serial,serial"),
            "PBOTVM_TRANSPORTS: error: duplicate name 'serial', each is accepted once");
  EXPECT_EQ(environment_failure("PBOTVM_PLUGINS", "/a:"),
            "PBOTVM_PLUGINS: error: found '/a:', a list without empty parts is accepted");
}

TEST_F(ConfigurationTest, DoesNotIgnoreAMisspeltVariable) {
  EXPECT_EQ(environment_failure("PBOTVM_SERVR", "1"),
            "PBOTVM_SERVR: error: unknown setting; did you mean 'PBOTVM_SERVER'?");
  EXPECT_EQ(environment_failure("PBOTVM_WEATHER_REPORT", "1"),
            "PBOTVM_WEATHER_REPORT: error: unknown setting; --help lists the settings there are");
  for (const char* of_others : {"PBOTV_SERVER", "PBOTVM_TEST_IMAGE"})
    EXPECT_EQ(environment_failure(of_others, "1"), "accepted");
}

TEST_F(ConfigurationTest, RefusesTwoNamesOfOneSettingThatDiffer) {
  sources.environment = {{"PBOTVM_SERVER", "9000"}, {"PBOTVM_PORT", "9001"}};
  EXPECT_EQ(
      failure(),
      "PBOTVM_PORT: error: found '9001', but PBOTVM_SERVER, another name of the same setting, is '9000'; set one of "
      "them, or both alike");
  sources.environment["PBOTVM_PORT"] = "9000";
  EXPECT_EQ(failure(), "accepted");
  sources.environment = {{"PBOTVM_HEART", "1"}, {"PBOTVM_HEALTH", "2"}};
  EXPECT_THAT(failure(), StartsWith("PBOTVM_HEALTH: error: found '2', but PBOTVM_HEART"));
}

TEST_F(ConfigurationTest, NamesTheOptionThatIsWrong) {
  EXPECT_EQ(option_failure("host.server", "abc"),
            "--set host.server: error: found 'abc', a whole number from 1 to 65535 is accepted");
  EXPECT_EQ(option_failure("host.sever", "1"), "--set host.sever: error: unknown key; did you mean 'host.server'?");
  EXPECT_EQ(option_failure("machines.other.serial", "1"),
            "--set machines.other.serial: error: there is no such machine, there are pbot-vm; did you mean "
            "'machines.pbot-vm.serial'?");
  EXPECT_EQ(option_failure("machines.pbot-vm.serail", "1"),
            "--set machines.pbot-vm.serail: error: unknown key; did you mean 'machines.pbot-vm.serial'?");
  sources.command_line = {{"host.server", "1"}, {"host.server", "2"}};
  EXPECT_EQ(failure(), "--set host.server: error: found both '1' and '2', one is accepted");
}

// ---- The table and the sample file

TEST(SettingsTableTest, SaysEverythingOfEverySetting) {
  const auto rows = settings_table();
  EXPECT_EQ(rows.size(), 46u);
  for (const auto& row : rows) {
    EXPECT_FALSE(row.type.empty()) << row.yaml;
    EXPECT_FALSE(row.fallback.empty()) << row.yaml;
    EXPECT_FALSE(row.meaning.empty()) << row.yaml;
  }
  EXPECT_EQ(rows[1].yaml, "host.server");
  EXPECT_THAT(rows[1].environment, ElementsAre("PBOTVM_SERVER", "PBOTVM_PORT"));
  EXPECT_EQ(rows[1].fallback, "9000");
}

class SampleFileTest : public ConfigurationTest {
 protected:
  static std::string sample() {
    std::ostringstream text;
    text << std::ifstream(SAMPLE_FILE).rdbuf();
    return text.str();
  }

  /// With every setting in force: lines with one '#' are settings, lines with two explain.
  static std::string uncommented() {
    std::istringstream lines(sample());
    std::string text;
    for (std::string line; std::getline(lines, line);)
      text += (line.substr(0, 1) == "#" && line.substr(0, 2) != "##" ? line.substr(1) : line) + "\n";
    return text;
  }
};

TEST_F(SampleFileTest, ChangesNothingAsItStands) {
  sources.install_prefix = "/usr";
  const std::string defaults = dump(load());
  sources.file = SAMPLE_FILE;
  EXPECT_EQ(dump(load()), defaults);
}

TEST_F(SampleFileTest, ShowsTheDefaultOfEverySetting) {
  sources.install_prefix = "/usr";
  const std::string defaults = dump(load());
  write(uncommented());
  EXPECT_EQ(dump(load()), defaults);
  const Settings root = Settings::load(file);
  for (const auto& row : settings_table()) {
    std::optional<Settings> node = root;
    std::stringstream parts(row.yaml);
    for (std::string part; std::getline(parts, part, '.');)
      node = node ? node->find(part == "NAME" ? "pbot-vm" : part) : std::nullopt;
    EXPECT_TRUE(node.has_value()) << row.yaml << " is missing";
    for (const auto& name : row.environment) EXPECT_THAT(sample(), HasSubstr(name));
  }
}

TEST(ProcessEnvironmentTest, HoldsWhatTheProcessWasGiven) {
  ::setenv("PBOTVM_ADDR", "a=b", 1);
  EXPECT_EQ(process_environment().at("PBOTVM_ADDR"), "a=b");
  ::unsetenv("PBOTVM_ADDR");
  EXPECT_EQ(process_environment().count("PBOTVM_ADDR"), 0u);
}

}  // namespace
}  // namespace pbotvm::config

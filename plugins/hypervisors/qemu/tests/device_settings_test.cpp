// SPDX-License-Identifier: MIT
#include "device_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "temporary_directory.h"

namespace pbotvm::qemu {
namespace {

using pbotvm::testing::TemporaryDirectory;
using pbotvm::testing::write_text;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// What a reader says of a text.
template <typename Reader>
std::string complaint(Reader reader, const std::string& text) {
  try {
    reader(Settings::parse(text, "p.yaml"));
  } catch (const ConfigurationError& error) {
    return error.what();
  }
  return "no complaint";
}

TEST(QemuMachineSetting, IsATypeWithOptionsThatAreNotTheHosts) {
  EXPECT_EQ(default_machine, read_machine(Settings::parse("{}", "p.yaml")));
  EXPECT_EQ("pc,usb=off", read_machine(Settings::parse("{machine: \"pc,usb=off\"}", "p.yaml")));
  EXPECT_THAT(complaint(read_machine, "{machine: \"q35,accel=kvm\"}"),
              StartsWith("p.yaml:1:11: error: machine sets 'accel'"));
  EXPECT_THAT(complaint(read_machine, "{machine: \"q35 -daemonize\"}"), HasSubstr("a type with options"));
  EXPECT_THAT(complaint(read_machine, "{machine: \"\"}"), HasSubstr("machine is empty"));
}

TEST(QemuDisks, AreFilesInTheFormatThatIsConfigured) {
  const TemporaryDirectory directory;
  const std::string raw = directory.file("raw"), qcow2 = directory.file("qcow2");
  write_text(raw, "data that is no qcow2 image");
  write_text(qcow2, std::string("QFI\xfb\0\0\0\3", 8));
  const auto disks = read_disks(
      Settings::parse("{disks: [{file: " + qcow2 + "}, {file: " + raw + ", format: raw, read_only: true}]}", "p.yaml"));
  ASSERT_EQ(2u, disks.size());
  EXPECT_EQ(qcow2, disks[0].file);
  EXPECT_EQ("qcow2", disks[0].format);
  EXPECT_FALSE(disks[0].read_only);
  EXPECT_EQ("raw", disks[1].format);
  EXPECT_TRUE(disks[1].read_only);

  EXPECT_THAT(complaint(read_disks, "{disks: {file: a}}"), StartsWith("p.yaml:1:9: error: disks is no list"));
  EXPECT_THAT(complaint(read_disks, "{disks: [{format: raw}]}"), HasSubstr("a disk has no file"));
  EXPECT_THAT(complaint(read_disks, "{disks: [{file: a}]}"), HasSubstr("absolute path"));
  EXPECT_THAT(complaint(read_disks, "{disks: [{file: /nonexistent}]}"), HasSubstr("qemu-img create"));
  EXPECT_THAT(complaint(read_disks, "{disks: [{file: /}]}"), HasSubstr("neither a file"));
  EXPECT_THAT(complaint(read_disks, "{disks: [{file: " + raw + "}]}"), HasSubstr("is not qcow2"));
  EXPECT_THAT(complaint(read_disks, "{disks: [{file: " + raw + ", fromat: raw}]}"), HasSubstr("format"));
  EXPECT_THAT(complaint(read_disks, "{disks: [{file: " + raw + ", format: vmdk}]}"),
              HasSubstr("accepted are qcow2 and raw"));
  EXPECT_THAT(complaint(read_disks, "{disks: [{file: " + raw + ", format: raw}]}"),
              HasSubstr("cannot be put back at a revert"));
  EXPECT_THAT(complaint(read_disks, "{disks: [{file: " + qcow2 + ", format: raw, read_only: true}]}"),
              HasSubstr("is qcow2"));
}

TEST(QemuNics, AreNoneUnlessConfigured) {
  EXPECT_TRUE(read_nics(Settings::parse("{}", "p.yaml")).empty());
  EXPECT_TRUE(read_nics(Settings::parse("{nics: none}", "p.yaml")).empty());
  EXPECT_TRUE(read_nics(Settings::parse("{nics: []}", "p.yaml")).empty());
}

TEST(QemuNics, AreReadFromTheList) {
  const auto nics = read_nics(
      Settings::parse("{nics: [{type: user, hostfwd: [\"tcp:127.0.0.1:2222-:22\"]}, {type: user, restrict: false},"
                      " {type: bridge, bridge: br0, mac: \"52:54:00:00:00:07\", helper: /opt/helper}]}",
                      "p.yaml"));
  ASSERT_EQ(3u, nics.size());
  EXPECT_TRUE(nics[0].restricted);
  EXPECT_THAT(nics[0].forwards, ElementsAre("tcp:127.0.0.1:2222-:22"));
  EXPECT_FALSE(nics[1].restricted);
  EXPECT_EQ(Nic::Kind::bridge, nics[2].kind);
  EXPECT_EQ("br0", nics[2].bridge);
  EXPECT_EQ("52:54:00:00:00:07", nics[2].mac);
  EXPECT_EQ("/opt/helper", nics[2].helper);
}

TEST(QemuNics, ComplainOfWhatIsWrongOrWouldNotBeSafe) {
  const auto of = [](const std::string& nic) { return complaint(read_nics, "{nics: [" + nic + "]}"); };
  EXPECT_THAT(of("{bridge: br0}"), HasSubstr("has no type"));
  EXPECT_THAT(of("{type: tap}"), HasSubstr("accepted are user and bridge"));
  EXPECT_THAT(of("{type: bridge}"), HasSubstr("has no bridge"));
  EXPECT_THAT(of("{type: bridge, bridge: \"a/b\"}"), HasSubstr("name of a network device"));
  EXPECT_THAT(of("{type: bridge, bridge: \"-a\"}"), HasSubstr("name of a network device"));
  EXPECT_THAT(of("{type: bridge, bridge: \"a,script=x\"}"), HasSubstr("name of a network device"));
  EXPECT_THAT(of("{type: bridge, bridge: br0, restrict: true}"), HasSubstr("restrict"));
  EXPECT_THAT(of("{type: user, mac: \"53:54:00:00:00:07\"}"), HasSubstr("address of one card"));
  EXPECT_THAT(of("{type: user, hostfwd: [\"tcp::2222-:22\"]}"), HasSubstr("every address of this system"));
  EXPECT_THAT(of("{type: user, hostfwd: [\"tcp:0.0.0.0:2222-:22\"]}"), HasSubstr("every address of this system"));
  EXPECT_THAT(of("{type: user, hostfwd: [\"tcp:127.0.0.1:70000-:22\"]}"), HasSubstr("accepted is tcp:"));
  EXPECT_THAT(of("{type: user, hostfwd: [\"tcp:127.0.0.1:1-:2,guestfwd=x\"]}"), HasSubstr("accepted is tcp:"));
  EXPECT_THAT(of("{type: user, mac: \"52:54:00:00:00:07\"}, {type: user, mac: \"52:54:00:00:00:07\"}"),
              HasSubstr("another card's already"));
}

TEST(QemuSerials, AreEndpoints) {
  const auto serials = read_serials(Settings::parse("{serials: [6001, \"unix:/run/a.sock\"]}", "p.yaml"));
  EXPECT_THAT(serials, ElementsAre(Endpoint::tcp("127.0.0.1", 6001), Endpoint::unix_socket("/run/a.sock")));
  EXPECT_THAT(complaint(read_serials, "{serials: [0]}"), HasSubstr("leave the item out"));
  EXPECT_THAT(complaint(read_serials, "{serials: [6001, 6001]}"), HasSubstr("twice"));
  EXPECT_THAT(complaint(read_serials, "{serials: [x]}"), StartsWith("p.yaml:1:12: error:"));
  EXPECT_THAT(complaint(read_serials, "{serials: [1, 2, 3, 4, 5, 6]}"), HasSubstr("accepted are 5"));
}

TEST(QemuDisplay, IsNoneUnlessConfigured) {
  const auto read = [](const std::string& text) { return read_display(Settings::parse(text, "p.yaml")); };
  EXPECT_EQ(Display::Kind::none, read("{}").kind);
  EXPECT_EQ(Display::Kind::none, read("{display: none}").kind);
  EXPECT_EQ(Display::Kind::vnc, read("{display: vnc}").kind);
  EXPECT_EQ(5905, read("{display: {type: vnc, port: 5905}}").port);
  EXPECT_EQ("/run/a.sock", read("{display: {type: spice, socket: /run/a.sock}}").socket);
  EXPECT_THAT(complaint(read_display, "{display: gtk}"), HasSubstr("accepted are none, vnc and spice"));
  EXPECT_THAT(complaint(read_display, "{display: {type: vnc, port: 80}}"), HasSubstr("5900"));
  EXPECT_THAT(complaint(read_display, "{display: {type: vnc, port: 5900, socket: a}}"),
              HasSubstr("leave one of them out"));
  EXPECT_THAT(complaint(read_display, "{display: {type: vnc, address: 0.0.0.0}}"), HasSubstr("address"));
}

TEST(QemuExtra, DoesNotTakeTheMachineOutOfTheHostsHands) {
  EXPECT_THAT(read_extra(Settings::parse("{extra: [-device, edu]}", "p.yaml")), ElementsAre("-device", "edu"));
  EXPECT_THAT(complaint(read_extra, "{extra: [-sandbox, \"off\"]}"),
              StartsWith("p.yaml:1:10: error: extra holds -sandbox"));
  EXPECT_THAT(complaint(read_extra, "{extra: [--daemonize]}"), HasSubstr("--daemonize"));
}

}  // namespace
}  // namespace pbotvm::qemu

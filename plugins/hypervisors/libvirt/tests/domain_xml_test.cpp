// SPDX-License-Identifier: MIT
#include "domain_xml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pbotvm::libvirt {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string complete = R"(<domain type='qemu'><name>pbot-vm</name><devices>
  <serial type='tcp'><source mode='bind' host='127.0.0.1' service='5555' tls='no'/><target type='isa-serial' port='2'/></serial>
  <serial type='tcp'><source mode='bind' host='127.0.0.1' service='5556'/><target type='isa-serial' port='3'/></serial>
  <channel type='unix'><source mode='bind' path='/run/lines/data.sock'/><target type='virtio' name='pbotvm.data'/></channel>
  <vsock model='virtio'><cid auto='no' address='7'/></vsock></devices></domain>)";

MachineSettings machine() {
  MachineSettings made;
  made.name = made.domain = "pbot-vm";
  made.serial = Endpoint::tcp("127.0.0.1", 5555);
  made.heart = Endpoint::tcp("127.0.0.1", 5556);
  made.virtio_serial = Endpoint::unix_socket("/run/lines/data.sock");
  made.cid = 7;
  return made;
}

TEST(MissingDevices, AreNoneOfACompleteDomain) {
  EXPECT_EQ("", missing_devices(complete, machine()));
}

TEST(MissingDevices, AreNamedWithTheCommandsThatAddThem) {
  EXPECT_THAT(missing_devices("<domain><devices/></domain>", machine()),
              AllOf(HasSubstr("no serial port 2 on 127.0.0.1:5555 (serial), no serial port 3 on"),
                    HasSubstr("'pbotvm devices add-serials' and 'pbotvm devices add-virtio-serial' and 'pbotvm devices "
                              "add-vsock'"),
                    HasSubstr("context id 7")));
}

TEST(MissingDevices, AreOnlyThoseThatTheSettingsName) {
  MachineSettings settings;
  settings.serial = Endpoint::tcp("127.0.0.1", 5555);
  EXPECT_THAT(
      missing_devices("<domain><devices/></domain>", settings),
      AllOf(HasSubstr("add-serials"), Not(HasSubstr("port 3")), Not(HasSubstr("vsock")), Not(HasSubstr("channel"))));
}

TEST(MissingDevices, CountALineOnAnotherPortAsMissing) {
  MachineSettings settings = machine();
  settings.heart = Endpoint::tcp("127.0.0.1", 5557);
  EXPECT_THAT(missing_devices(complete, settings), HasSubstr("no serial port 3 on 127.0.0.1:5557"));
}

TEST(SnapshotDescription, HoldsMemoryOnlyOfADomainThatRan) {
  const SnapshotDescription live = parse_snapshot(
      "<domainsnapshot><name>1</name><state>running</state><creationTime>1795257862</creationTime>"
      "<memory snapshot='internal'/></domainsnapshot>");
  EXPECT_EQ("1", live.name);
  EXPECT_EQ("2026-11-21T10:44:22Z", live.taken);
  EXPECT_TRUE(live.has_memory);
  EXPECT_FALSE(
      parse_snapshot("<domainsnapshot><state>shutoff</state><memory snapshot='no'/></domainsnapshot>").has_memory);
  EXPECT_FALSE(
      parse_snapshot("<domainsnapshot><state>running</state><memory snapshot='no'/></domainsnapshot>").has_memory);
}

TEST(SnapshotRequest, EscapesTheName) {
  EXPECT_THAT(snapshot_request("a<b&c"), HasSubstr("<name>a&lt;b&amp;c</name>"));
}

TEST(LibvirtXml, IsRefusedWhenItIsBrokenOrSomethingElse) {
  EXPECT_THROW(missing_devices("<domain>", machine()), Error);
  EXPECT_THROW(parse_snapshot("<domain/>"), Error);
}

}  // namespace
}  // namespace pbotvm::libvirt

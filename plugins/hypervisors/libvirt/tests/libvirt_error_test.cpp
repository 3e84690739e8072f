// SPDX-License-Identifier: MIT
#include "libvirt_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libvirt/virterror.h>

#include <cerrno>

namespace pbotvm::libvirt {
namespace {

using ::testing::HasSubstr;

const Subject subject{"qemu:///system", "pbot-vm", "1"};

TEST(LibvirtError, CarriesLibvirtsNumberAndText) {
  const LibvirtError error("start it", VIR_ERR_NO_DOMAIN, "no domain with matching name", 0, subject, "a, b");
  EXPECT_EQ(VIR_ERR_NO_DOMAIN, error.number());
  EXPECT_EQ(ErrorCode::unavailable, error.code());
  EXPECT_THAT(error.what(), HasSubstr("start it: no domain with matching name (libvirt error 42); there are: a, b"));
}

TEST(LibvirtError, TellsAMissingDaemonFromAMissingPermission) {
  const std::string text = "Failed to connect socket to '/run/libvirt/libvirt-sock': ";
  EXPECT_THAT(remedy_for(VIR_ERR_SYSTEM_ERROR, ENOENT, text + "No such file or directory", subject, ""),
              HasSubstr("systemctl start libvirtd"));
  EXPECT_THAT(remedy_for(VIR_ERR_SYSTEM_ERROR, EACCES, text + "Permission denied", subject, ""),
              HasSubstr("usermod -aG libvirt"));
}

TEST(LibvirtError, DoesNotTakeAMissingDeviceForAMissingDaemon) {
  EXPECT_THAT(remedy_for(VIR_ERR_SYSTEM_ERROR, ENOENT, "unable to open vhost-vsock device", subject, ""),
              HasSubstr("modprobe vhost_vsock"));
  EXPECT_THAT(remedy_for(VIR_ERR_CONFIG_UNSUPPORTED, 0, "unable to open vhost-vsock device", subject, ""),
              HasSubstr("modprobe vhost_vsock"));
  EXPECT_THAT(remedy_for(VIR_ERR_SYSTEM_ERROR, ENOENT, "Cannot access storage file '/x': No such file", subject, ""),
              HasSubstr("virsh edit pbot-vm"));
  EXPECT_THAT(
      remedy_for(VIR_ERR_SYSTEM_ERROR, ENOENT, "Unable to bind to UNIX socket path '/x/y': No such file", subject, ""),
      HasSubstr("directory of that socket"));
}

TEST(LibvirtError, SendsOneWhoCannotReachAnotherSystemThere) {
  const Subject far{"qemu+ssh://me@there/system", "pbot-vm", "1"};
  EXPECT_THAT(remedy_for(VIR_ERR_SYSTEM_ERROR, ECONNRESET, "Cannot recv data: Host key verification failed.", far, ""),
              HasSubstr("virsh -c 'qemu+ssh://me@there/system' uri"));
}

TEST(LibvirtError, SaysHowToFindWhoHasAPort) {
  EXPECT_THAT(
      remedy_for(VIR_ERR_INTERNAL_ERROR, 0, "Failed to find an available port: Address already in use", subject, ""),
      HasSubstr("ss -ltnp"));
}

TEST(LibvirtError, SaysWhatASessionNeeds) {
  EXPECT_THAT(remedy_for(VIR_ERR_SYSTEM_ERROR, EACCES, "Cannot create user runtime directory '/x'", subject, ""),
              HasSubstr("XDG_RUNTIME_DIR"));
}

TEST(LibvirtError, SaysThatThereIsNoDomainAtAll) {
  EXPECT_THAT(remedy_for(VIR_ERR_NO_DOMAIN, 0, "", subject, ""), HasSubstr("there is no domain at all"));
}

TEST(LibvirtError, SaysHowToMakeAMissingSnapshot) {
  EXPECT_THAT(remedy_for(VIR_ERR_NO_DOMAIN_SNAPSHOT, 0, "", subject, "clean"),
              ::testing::AllOf(HasSubstr("there are: clean"), HasSubstr("virsh snapshot-create-as pbot-vm 1")));
}

TEST(LibvirtError, NamesTheUriThatCannotBeUsed) {
  EXPECT_THAT(remedy_for(VIR_ERR_NO_CONNECT, 0, "", {"quemu:///x", "", ""}, ""), HasSubstr("'quemu:///x'"));
}

TEST(LibvirtError, TellsADaemonOfThisSystemThatHangsFromOneFarAway) {
  EXPECT_THAT(hung_remedy("qemu:///system"), HasSubstr("systemctl restart libvirtd"));
  EXPECT_THAT(hung_remedy("qemu+unix:///system?socket=/x"), HasSubstr("systemctl restart libvirtd"));
  EXPECT_THAT(hung_remedy("qemu+ssh://me@there/system"), HasSubstr("virsh -c 'qemu+ssh://me@there/system' uri"));
  EXPECT_THAT(hung_remedy("qemu://there/system"), HasSubstr("whether that system can be reached"));
}

TEST(LibvirtError, CountsABusyDomainAsATimeOut) {
  EXPECT_EQ(ErrorCode::timed_out, LibvirtError("x", VIR_ERR_OPERATION_TIMEOUT, "busy", 0, subject).code());
}

}  // namespace
}  // namespace pbotvm::libvirt

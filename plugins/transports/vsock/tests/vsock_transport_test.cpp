// SPDX-License-Identifier: MIT

// Settings, descriptions and errors. No test here makes a VM socket: see tests/vm/test_vsock.py for what needs one.

#include "../vsock_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../../tests/loaded_factory.h"

namespace pbotvm::testing {
namespace {

using ::testing::HasSubstr;
using transports::vsock_error;

std::unique_ptr<Transport> make(std::uint32_t cid, const std::string& settings = "{}") {
  static const auto factory = load_factory<TransportFactory>(PLUGIN_FILE);
  MachineSettings machine;
  machine.name = "m";
  machine.cid = cid;
  machine.vport = 5555;
  return factory->create(machine, Settings::parse(settings, "test.yaml"));
}

template <typename Call>
std::string complaint(Call call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(ErrorCode::configuration, error.code());
    return error.what();
  }
  return "no complaint";
}

TEST(VsockTransport, SaysWhereItLeads) {
  EXPECT_EQ("vsock 7:5555", make(7)->description());
  EXPECT_EQ("vsock 1:5555", make(1)->description());
  EXPECT_EQ("vsock 4294967294:5555", make(4294967294)->description());
}

TEST(VsockTransport, KnowsNoExtension) {
  EXPECT_EQ(nullptr, make(7)->extension(SignsOfLife::identifier));
}

TEST(VsockTransport, RefusesAKeyThatItDoesNotKnowWithItsPosition) {
  const std::string text = complaint([&] { make(7, "{plugin: vsock, port: 9600}"); });
  EXPECT_THAT(text, HasSubstr("test.yaml:1:"));
  EXPECT_THAT(text, HasSubstr("port"));
}

TEST(VsockTransport, RefusesAMachineWhoseCidTurnsItOff) {
  const std::string text = complaint([] { make(0); });
  EXPECT_THAT(text, HasSubstr("machines.m.cid"));
  EXPECT_THAT(text, HasSubstr("test.yaml:1:"));
}

TEST(VsockTransport, TellsTheReasonsApartForWhichItCannotConnect) {
  const std::string where = "vsock 7:5555";
  EXPECT_EQ(ErrorCode::timed_out, vsock_error(where, ETIMEDOUT).code());
  for (const int error : {ENODEV, ECONNRESET, ECONNREFUSED, EAFNOSUPPORT, EACCES, ENETUNREACH}) {
    EXPECT_EQ(ErrorCode::unavailable, vsock_error(where, error).code());
    EXPECT_THAT(vsock_error(where, error).what(), HasSubstr("connect to vsock 7:5555: "));
  }
  EXPECT_THAT(vsock_error(where, ENODEV).what(), HasSubstr("No such device; no running machine has this context id"));
  EXPECT_THAT(vsock_error(where, ECONNRESET).what(), HasSubstr("nothing in it listens on this port"));
  EXPECT_THAT(vsock_error(where, EAFNOSUPPORT).what(), HasSubstr("load its module vsock"));
}

}  // namespace
}  // namespace pbotvm::testing

// SPDX-License-Identifier: MIT

// What every transport over a plain stream must do. Each plug-in builds it for itself, with SUITE (the tests' name),
// NAME (the plug-in's), LINE (the member of MachineSettings that it connects to) and KEY (that setting's name).

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <chrono>
#include <filesystem>

#include "listener.h"
#include "loaded_factory.h"
#include "pbotvm/transport.h"

namespace pbotvm::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

std::unique_ptr<Transport> make(const Endpoint& endpoint, const std::string& settings = "{}") {
  static const auto factory = load_factory<TransportFactory>(PLUGIN_FILE);
  MachineSettings machine;
  machine.name = "m";
  machine.LINE = endpoint;
  return factory->create(machine, Settings::parse(settings, "test.yaml"));
}

template <typename Call>
std::string complaint(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no complaint";
}

TEST(SUITE, CarriesBytesBothWaysOverTcp) {
  const Listener line = Listener::tcp();
  const UniqueFd host = make(line.endpoint)->connect(Deadline::in(5s));
  const UniqueFd guest = line.accept();
  ASSERT_EQ(4, ::write(host.get(), "ping", 4));
  EXPECT_EQ("ping", read_some(guest.get()));
  ASSERT_EQ(4, ::write(guest.get(), "pong", 4));
  EXPECT_EQ("pong", read_some(host.get()));
}

TEST(SUITE, DescriptorIsNonBlockingCloseOnExecAndWithoutDelay) {
  const Listener line = Listener::tcp();
  const UniqueFd host = make(line.endpoint)->connect(Deadline::in(5s));
  EXPECT_TRUE(::fcntl(host.get(), F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(::fcntl(host.get(), F_GETFD) & FD_CLOEXEC);
  int nodelay = 0;
  socklen_t size = sizeof nodelay;
  ASSERT_EQ(0, ::getsockopt(host.get(), IPPROTO_TCP, TCP_NODELAY, &nodelay, &size));
  EXPECT_NE(0, nodelay);
}

TEST(SUITE, ConnectsToAUnixSocket) {
  const std::string path =
      std::filesystem::temp_directory_path() / ("pbotvm-" NAME "-" + std::to_string(::getpid()) + ".sock");
  const Listener line = Listener::unix_socket(path);
  const UniqueFd host = make(line.endpoint)->connect(Deadline::in(5s));
  const UniqueFd guest = line.accept();
  std::filesystem::remove(path);
  ASSERT_EQ(1, ::write(guest.get(), "x", 1));
  EXPECT_EQ("x", read_some(host.get()));
}

TEST(SUITE, ConnectsAgainAfterNobodyListened) {
  Listener line = Listener::tcp();
  const auto transport = make(line.endpoint);
  line.socket.reset();
  try {
    transport->connect(Deadline::in(5s));
    FAIL() << "connected to a closed port";
  } catch (const Error& error) {
    EXPECT_EQ(ErrorCode::unavailable, error.code());
    EXPECT_THAT(error.what(), HasSubstr(line.endpoint.text()));
  }
  const Listener other = Listener::tcp();
  EXPECT_TRUE(make(other.endpoint)->connect(Deadline::in(5s)));
}

TEST(SUITE, SaysWhereItLeads) {
  EXPECT_EQ("127.0.0.1:4711", make(Endpoint::tcp("127.0.0.1", 4711))->description());
}

TEST(SUITE, KnowsNoExtension) {
  EXPECT_EQ(nullptr, make(Endpoint::tcp("127.0.0.1", 4711))->extension(SignsOfLife::identifier));
}

TEST(SUITE, RefusesAKeyThatItDoesNotKnowWithItsPosition) {
  const Endpoint endpoint = Endpoint::tcp("127.0.0.1", 1);
  const std::string text = complaint([&] { make(endpoint, "{plugin: " NAME ", speed: 9600}"); });
  EXPECT_THAT(text, HasSubstr("test.yaml:1:"));
  EXPECT_THAT(text, HasSubstr("speed"));
}

TEST(SUITE, RefusesAMachineWithoutSuchALine) {
  const std::string text = complaint([] { make(Endpoint{}); });
  EXPECT_THAT(text, HasSubstr("machines.m." KEY));
  EXPECT_THAT(text, HasSubstr("test.yaml:1:"));
}

}  // namespace
}  // namespace pbotvm::testing

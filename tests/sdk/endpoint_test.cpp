// SPDX-License-Identifier: MIT
#include "pbotvm/endpoint.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>

#include "pbotvm/error.h"

namespace pbotvm {
namespace {

using namespace std::chrono_literals;
using testing::StartsWith;

constexpr const char* accepted =
    "; accepted are a port from 1 to 65535 on 127.0.0.1, ADDRESS:PORT, [IPV6]:PORT, unix:PATH, or 0 for none";

std::string parse_failure(const std::string& text) {
  try {
    Endpoint::parse(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::configuration);
    return error.what();
  }
  return "accepted";
}

TEST(EndpointTest, ReadsEveryForm) {
  EXPECT_EQ(Endpoint::parse("5555"), Endpoint::tcp("127.0.0.1", 5555));
  EXPECT_EQ(Endpoint::parse("10.0.0.1:65535"), Endpoint::tcp("10.0.0.1", 65535));
  EXPECT_EQ(Endpoint::parse("[::1]:1"), Endpoint::tcp("::1", 1));
  EXPECT_EQ(Endpoint::parse("unix:machines/m/serial.sock"), Endpoint::unix_socket("machines/m/serial.sock"));
  EXPECT_EQ(Endpoint::parse("0"), Endpoint());
}

TEST(EndpointTest, WritesTheFormThatItReads) {
  for (const char* text : {"127.0.0.1:5555", "[::1]:1", "unix:/run/x.sock", "0"})
    EXPECT_EQ(Endpoint::parse(text).text(), text);
}

TEST(EndpointTest, RefusesWhatIsNoEndpoint) {
  EXPECT_EQ(parse_failure("abc"), std::string("found 'abc'") + accepted);
  EXPECT_EQ(parse_failure("65536"),
            std::string("found '65536', whose port is not a number from 1 to 65535") + accepted);
  EXPECT_EQ(parse_failure("127.0.0.1:0"),
            std::string("found '127.0.0.1:0', whose port is not a number from 1 to 65535") + accepted);
  EXPECT_EQ(parse_failure("localhost:80"),
            std::string("found 'localhost', which is not a literal IPv4 or IPv6 address") + accepted);
  EXPECT_EQ(parse_failure("unix:"), std::string("found a socket without a usable path") + accepted);
  for (const char* text : {"", "-1", "00x", "127.0.0.1:", "127.0.0.1:+5", "::1:80", "[::1]", "[::1]80", " 5555"})
    EXPECT_THAT(parse_failure(text), StartsWith("found ")) << text;
}

TEST(EndpointTest, RefusesAPathThatNoSocketCanHave) {
  EXPECT_EQ(parse_failure("unix:" + std::string(107, 'a')), "accepted");
  EXPECT_THAT(parse_failure("unix:" + std::string(108, 'a')), testing::HasSubstr("longer than the 107 bytes"));
}

/// A listening socket on a free port of the loopback, or at a path.
class Listener {
 public:
  Listener() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd_.get(), 1) != 0 ||
        ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no listener");
    port = ntohs(address.sin_port);
  }
  explicit Listener(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 || ::listen(fd_.get(), 0) != 0)
      throw std::runtime_error("no listener");
  }

  std::uint16_t port = 0;

 private:
  UniqueFd fd_;
};

TEST(ConnectEndpointTest, HandsOverANonBlockingDescriptorWithoutDelay) {
  Listener listener;
  const UniqueFd fd = connect_endpoint(Endpoint::tcp("127.0.0.1", listener.port), Deadline::in(5s));
  EXPECT_NE(::fcntl(fd.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  int nodelay = 0;
  socklen_t size = sizeof(nodelay);
  ASSERT_EQ(::getsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &nodelay, &size), 0);
  EXPECT_NE(nodelay, 0);
}

TEST(ConnectEndpointTest, IsUnavailableWhenNobodyListens) {
  std::uint16_t port = 0;
  { port = Listener().port; }
  // More than once, because TCP may connect a socket to itself.
  for (int i = 0; i < 10; ++i) {
    try {
      connect_endpoint(Endpoint::tcp("127.0.0.1", port), Deadline::in(5s));
      FAIL() << "connected";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::unavailable);
      EXPECT_EQ(error.what(), "connect to 127.0.0.1:" + std::to_string(port) +
                                  ": Connection refused; check that the machine runs and that this is its address");
    }
  }
  EXPECT_THROW(connect_endpoint(Endpoint(), Deadline::in(1s)), Error);
}

TEST(ConnectEndpointTest, ConnectsToAUnixSocketAndGivesUpOnAFullQueueInTime) {
  std::string directory = (std::filesystem::temp_directory_path() / "pbotvm-test-XXXXXX").string();
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const Endpoint endpoint = Endpoint::unix_socket(directory + "/s");
  {
    Listener listener(endpoint.path);
    const UniqueFd first = connect_endpoint(endpoint, Deadline::in(5s));
    EXPECT_TRUE(first);
    try {
      connect_endpoint(endpoint, Deadline::in(50ms));
      ADD_FAILURE() << "connected beyond the backlog";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::timed_out);
      EXPECT_THAT(error.what(), StartsWith("connect to unix:" + directory + "/s: its queue stayed full"));
    }
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace pbotvm

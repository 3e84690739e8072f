// SPDX-License-Identifier: MIT
#include "line_listener.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

#include "temporary_directory.h"

namespace pbotvm::qemu {
namespace {

using namespace std::chrono_literals;
using pbotvm::testing::TemporaryDirectory;
using pbotvm::testing::write_text;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// The system picks one.
const Endpoint any_port{Endpoint::Kind::tcp, "127.0.0.1", 0, {}};

std::string complaint(const Endpoint& endpoint) {
  try {
    listen_on(endpoint, "data line");
  } catch (const Error& error) {
    return error.what();
  }
  return "no complaint";
}

Endpoint port_of(const UniqueFd& listener) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  EXPECT_EQ(0, ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size));
  return Endpoint::tcp("127.0.0.1", ntohs(address.sin_port));
}

TEST(LineListener, CanBeConnectedTo) {
  const UniqueFd listener = listen_on(any_port, "data line");
  EXPECT_TRUE(connect_endpoint(port_of(listener), Deadline::in(5s)));
}

TEST(LineListener, NamesThePortThatIsTaken) {
  const UniqueFd first = listen_on(any_port, "data line");
  const Endpoint port = port_of(first);
  EXPECT_THAT(complaint(port), HasSubstr("cannot listen on " + port.text() + " for the data line"));
}

TEST(LineListener, TakesAPortAgainWhoseConnectionsFadeAway) {
  UniqueFd first = listen_on(any_port, "data line");
  const Endpoint port = port_of(first);
  UniqueFd client = connect_endpoint(port, Deadline::in(5s));
  UniqueFd served(::accept(first.get(), nullptr, nullptr));
  served.reset();  // this end closes first, so it is this port that waits
  client.reset();
  first.reset();
  EXPECT_EQ("no complaint", complaint(port));
}

TEST(LineListener, ReplacesASocketThatNobodyServesAnyMore) {
  const TemporaryDirectory directory;
  const Endpoint path = Endpoint::unix_socket(directory.file("s"));
  listen_on(path, "data line");
  const UniqueFd listener = listen_on(path, "data line");
  EXPECT_TRUE(connect_endpoint(path, Deadline::in(5s)));
}

TEST(LineListener, DoesNotStealASocketThatIsServedAndSaysByWhom) {
  const TemporaryDirectory directory;
  const Endpoint path = Endpoint::unix_socket(directory.file("s"));
  const UniqueFd first = listen_on(path, "data line");
  const std::string self = std::to_string(::getpid());
  EXPECT_THAT(complaint(path), AllOf(HasSubstr("process " + self + " (test-hypervisor"), HasSubstr("listens there"),
                                     HasSubstr("end that process: kill " + self)));
}

TEST(LineListener, NamesTheProcessThatInheritedTheSocketAndListensThere) {
  const TemporaryDirectory directory;
  const Endpoint path = Endpoint::unix_socket(directory.file("s"));
  UniqueFd listener = listen_on(path, "data line");
  const pid_t heir = ::fork();
  if (heir == 0) {
    ::listen(listener.get(), 1);  // as QEMU does
    ::kill(::getpid(), SIGSTOP);
    ::_exit(0);
  }
  listener.reset();
  ASSERT_EQ(heir, ::waitpid(heir, nullptr, WUNTRACED));
  EXPECT_THAT(complaint(path), HasSubstr("end that process: kill " + std::to_string(heir)));
  ::kill(heir, SIGKILL);
  ASSERT_EQ(heir, ::waitpid(heir, nullptr, 0));
}

TEST(LineListener, DoesNotRemoveAFileThatIsNoSocket) {
  const TemporaryDirectory directory;
  write_text(directory.file("s"), "precious");
  EXPECT_THAT(complaint(Endpoint::unix_socket(directory.file("s"))), HasSubstr("no socket"));
  EXPECT_TRUE(std::filesystem::exists(directory.file("s")));
}

TEST(LineListener, IsForItsUserAndGroupOnly) {
  const TemporaryDirectory directory;
  const UniqueFd listener = listen_on(Endpoint::unix_socket(directory.file("s")), "data line");
  EXPECT_EQ(std::filesystem::perms(0660), std::filesystem::status(directory.file("s")).permissions());
}

TEST(LineListener, RefusesAPathThatIsTooLong) {
  EXPECT_THAT(complaint(Endpoint{Endpoint::Kind::unix_socket, {}, 0, "/tmp/" + std::string(120, 'x')}),
              HasSubstr("too long"));
}

}  // namespace
}  // namespace pbotvm::qemu

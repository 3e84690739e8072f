// SPDX-License-Identifier: MIT
#include "cli/vm_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "program.h"

namespace pbotvm::cli {
namespace {

using testing::Ended;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::OneShotServer;
using testing::run_program;
using ::testing::StartsWith;

// The line that a host receives from vm-client, and how the client ended.
struct Exchanged {
  std::string line;
  Ended ended;
};

Exchanged exchange(const std::string& program, const std::vector<std::string>& arguments, const std::string& answer,
                   const std::string& input = {}) {
  Exchanged exchanged;
  OneShotServer server(OneShotServer::answering(exchanged.line, answer));
  exchanged.ended = run_program(program, arguments, server.environment(), input);
  return exchanged;
}

// A port of the loopback on which nobody listens, as long as this lives.
class DeafPort {
 public:
  DeafPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) throw std::runtime_error("bind");
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  std::string environment() const { return "PBOTVM_SERVER=" + std::to_string(port_); }

 private:
  UniqueFd socket_;
  std::uint16_t port_ = 0;
};

TEST(ClientLine, ArgumentsAreJoinedWithSingleSpacesAndNoneIsAnOption) {
  EXPECT_EQ(client_line({"-lang=sh", "echo", "hello"}), "-lang=sh echo hello\n");
  EXPECT_EQ(client_line({"--help"}), "--help\n");
  EXPECT_EQ(client_line({"a  b", "", "c"}), "a  b  c\n");
}

TEST(ClientLine, WhatALineCannotHoldGoesAsJson) {
  EXPECT_EQ(client_line({"-lang=sh", "echo a\necho \"b\""}), "{\"code\":\"-lang=sh echo a\\necho \\\"b\\\"\"}\n");
  EXPECT_EQ(client_line({""}), "{\"code\":\"\"}\n");
  EXPECT_EQ(client_line({"{ echo hi; }"}), "{\"code\":\"{ echo hi; }\"}\n");
  EXPECT_EQ(client_line({"a\n\xff"}), "{\"code\":\"a\\n\xEF\xBF\xBD\"}\n");
}

TEST(ClientLine, JsonObjectGoesAsItIs) {
  const std::string object = R"({"nick":"n",  "channel":"#c","code":"-lang=sh echo hello"})";
  EXPECT_EQ(client_line({object}), object + "\n");
  EXPECT_EQ(client_line({"{\n\"code\": \"x\"\n}"}), "{\"code\":\"x\"}\n");
  EXPECT_EQ(client_line({R"({"code":1})", "x"}), "{\"code\":\"{\\\"code\\\":1} x\"}\n");
}

TEST(VmClient, SendsOneLineAndPrintsTheReply) {
  const Exchanged exchanged = exchange("vm-client", {"-lang=sh", "exit", "3"}, "Exit 3.\n");
  EXPECT_EQ(exchanged.line, "-lang=sh exit 3\n");
  EXPECT_EQ(exchanged.ended.out, "Exit 3.\n");
  EXPECT_EQ(exchanged.ended.status, 0);
  EXPECT_THAT(exchanged.ended.err, IsEmpty());
}

TEST(VmClient, RunAndClientAreTheSameUnderTheProgramsName) {
  for (const char* command : {"run", "client"}) {
    const Exchanged exchanged = exchange("pbotvm", {command, "-lang=sh", "--help"}, "x\n");
    EXPECT_EQ(exchanged.line, "-lang=sh --help\n");
    EXPECT_EQ(exchanged.ended.out, "x\n");
  }
}

TEST(VmClient, ReadsItsLineFromAPipe) {
  EXPECT_EQ(exchange("vm-client", {}, "", "-lang=sh echo hello\n").line, "-lang=sh echo hello\n");
  EXPECT_EQ(exchange("vm-client", {}, "", "echo a\necho b\n").line, "{\"code\":\"echo a\\necho b\"}\n");
}

TEST(VmClient, NothingToSendIsWrongUsage) {
  const Ended ended = run_program("vm-client", {}, {});
  EXPECT_EQ(ended.status, 64);
  EXPECT_THAT(ended.err, HasSubstr("usage: vm-client"));
}

TEST(VmClient, ReplyIsPrintedAsItComes) {
  std::string reply;
  for (int i = 0; i < 100'000; ++i) reply += std::to_string(i) + '\n';
  const Exchanged exchanged = exchange("vm-client", {"x"}, reply);
  EXPECT_EQ(exchanged.ended.out, reply);
}

TEST(VmClient, HostThatEndsWithoutAnAnswerIsTold) {
  const Exchanged exchanged = exchange("vm-client", {"-lang=sh", "echo hello"}, "");
  EXPECT_EQ(exchanged.ended.out, "Fatal error: Connection reset by peer; try again later\n");
  EXPECT_EQ(exchanged.ended.status, ECONNRESET);
}

TEST(VmClient, NobodyThere) {
  const DeafPort port;
  const Ended ended = run_program("vm-client", {"x"}, {port.environment()});
  EXPECT_EQ(ended.out, "Fatal error: Connection refused; try again later\n");
  EXPECT_EQ(ended.status, 111);
}

TEST(VmClient, AnswerToALineThatWasNotReadToItsEndIsPrinted) {
  OneShotServer server([](int fd) {
    char byte;
    if (::read(fd, &byte, 1) != 1) return;
    OneShotServer::write_text(fd, "too long\n");
    ::shutdown(fd, SHUT_WR);
    char bytes[65536];
    while (::read(fd, bytes, sizeof bytes) > 0) {
    }
  });
  std::string long_line(3 << 20, 'x');
  std::ostringstream out;
  const std::string port = server.environment()[1].substr(14);
  EXPECT_EQ(send_line("127.0.0.1", static_cast<std::uint16_t>(std::stoi(port)), long_line + '\n', out), 0);
  EXPECT_EQ(out.str(), "too long\n");
}

TEST(VmClient, HostThatDropsTheLineIsTold) {
  OneShotServer server([](int fd) {
    const linger reset{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    OneShotServer::read_line(fd);
  });
  const Ended ended = run_program("vm-client", {"x"}, server.environment());
  EXPECT_EQ(ended.out, "Fatal error: Connection reset by peer; try again later\n");
  EXPECT_EQ(ended.status, ECONNRESET);
}

TEST(VmClient, WrongSettingsStopItWithTheirPlace) {
  const Ended ended = run_program("vm-client", {"x"}, {"PBOTVM_SERVER=many"});
  EXPECT_EQ(ended.status, 78);
  EXPECT_THAT(ended.err, StartsWith("PBOTVM_SERVER: error: "));
}

}  // namespace
}  // namespace pbotvm::cli

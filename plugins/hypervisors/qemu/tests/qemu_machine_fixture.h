// SPDX-License-Identifier: MIT
#pragma once

// Real QEMU with a real guest image: the one that the build made, or the directory PBOTVM_TEST_IMAGE.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "../../../transports/tests/loaded_factory.h"
#include "pbotvm/hypervisor.h"
#include "temporary_directory.h"

namespace pbotvm::testing {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using ::testing::HasSubstr;

inline constexpr const char* directory = "machines";  // of the machine, below STATE

inline std::string image_directory() {
  const char* named = std::getenv("PBOTVM_TEST_IMAGE");
  return named ? named : BUILT_IMAGE;
}

inline std::uint16_t free_port() {
  const UniqueFd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(0, ::bind(probe.get(), reinterpret_cast<sockaddr*>(&address), size));
  EXPECT_EQ(0, ::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &size));
  return ntohs(address.sin_port);
}

/// Reads until `wanted` came or the deadline passed. Sends `again`, if any, every second: what is written before the
/// guest opens its end is lost.
inline bool await(int fd, const std::string& wanted, const Deadline& deadline, const std::string& again = {}) {
  std::string seen;
  Deadline next = Deadline::in(0ms);
  while (!deadline.expired()) {
    if (!again.empty() && next.expired()) {
      [[maybe_unused]] const ssize_t sent = ::send(fd, again.data(), again.size(), MSG_NOSIGNAL);
      next = Deadline::in(1s);
    }
    pollfd waiting{fd, POLLIN, 0};
    if (::poll(&waiting, 1, earlier(deadline, again.empty() ? deadline : next).poll_timeout()) != 1) continue;
    char buffer[4096];
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got == 0) return false;
    if (got > 0) seen.append(buffer, static_cast<std::size_t>(got));
    if (seen.find(wanted) != std::string::npos) return true;
  }
  return false;
}

inline std::string content(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline pid_t pid_of(const Hypervisor& hypervisor) {
  const std::string text = hypervisor.description();
  const std::size_t at = text.find("pid ");
  return at == std::string::npos ? -1 : std::atoi(text.c_str() + at + 4);
}

/// The factory of the plug-in file, loaded as a host loads it.
inline HypervisorFactory& factory() {
  static const auto loaded = load_factory<HypervisorFactory>(PLUGIN_FILE);
  return *loaded;
}

class QemuMachine : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(image_directory() + "/image.id"))
      GTEST_SKIP() << "no guest image in " << image_directory() << "; build it, or name one with PBOTVM_TEST_IMAGE";
    ASSERT_EQ(0, ::chdir(state_.path().c_str()));
    machine_.name = "m";
    machine_.domain = "m,test";
    machine_.directory = directory;
    machine_.serial = Endpoint::tcp("127.0.0.1", free_port());
    machine_.heart = Endpoint::tcp("127.0.0.1", free_port());
    machine_.virtio_serial = Endpoint::unix_socket("machines/virtio.sock");
  }
  void TearDown() override { ASSERT_EQ(0, ::chdir("/")); }

  std::unique_ptr<Hypervisor> make(const std::string& more = {}, const std::string& image = image_directory()) const {
    MachineSettings machine = machine_;
    machine.image = image;
    return factory().create(machine, Settings::parse("{plugin: qemu" + more + "}", "p.yaml"));
  }

  static Deadline soon() { return Deadline::in(60s); }

  UniqueFd console() const { return connect_endpoint(Endpoint::unix_socket("machines/console.sock"), soon()); }

  /// Runs a line in the guest's root shell and waits for its end.
  void in_guest(const std::string& line) {
    const std::string number = std::to_string(++commands_);
    const UniqueFd shell = console();
    // Put together by the guest's shell, so that the echo of what is typed is not taken for the answer.
    ASSERT_TRUE(
        await(shell.get(), "done-" + number + "-", Deadline::in(120s), line + "; echo done-$((" + number + "))-\n"))
        << line << "; the console showed: " << content("machines/console.log");
  }

  std::string file_in_guest_is(const std::string& path) {
    const UniqueFd shell = console();
    const std::string number = std::to_string(++commands_);
    const std::string line =
        "[ -e " + path + " ] && echo there-$((" + number + "))- || echo absent-$((" + number + "))-\n";
    for (const Deadline deadline = Deadline::in(60s); !deadline.expired();) {
      if (await(shell.get(), "there-" + number + "-", Deadline::in(500ms), line)) return "there";
      if (await(shell.get(), "absent-" + number + "-", Deadline::in(500ms), line)) return "absent";
    }
    return "no answer";
  }

  template <typename Call>
  static std::string complaint(Call call) {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "no complaint";
  }

  TemporaryDirectory state_;
  MachineSettings machine_;
  int commands_ = 0;
};

}  // namespace pbotvm::testing

// SPDX-License-Identifier: MIT
#include "host.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>

#include "pbotvm/deadline.h"
#include "pbotvm/endpoint.h"
#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::bench {

namespace {

using namespace std::chrono_literals;

std::uint16_t free_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw Error(ErrorCode::internal, "no free port");
  }
  return ntohs(address.sin_port);
}

std::string exchange(int fd, const std::string& line) {
  if (::send(fd, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
    throw Error(ErrorCode::unavailable, "the host does not take a request");
  }
  std::string reply;
  char buffer[65536];
  for (ssize_t got; (got = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) {
    reply.append(buffer, static_cast<std::size_t>(got));
  }
  return reply;
}

// Blocking, as a client's is.
UniqueFd connect_blocking(const Endpoint& endpoint) {
  auto fd = connect_endpoint(endpoint, Deadline::in(5s));
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) & ~O_NONBLOCK);
  return fd;
}

}  // namespace

Host::Host(const Options& options, const std::filesystem::path& folder, const std::string& yaml)
    : folder_(folder), port_(free_port()) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "pbotvm.yaml") << yaml;
  const std::string log = (folder / "host.log").string();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::setenv("PBOTVM_CONFIG", (folder / "pbotvm.yaml").c_str(), 1);
    ::setenv("PBOTVM_STATE", (folder / "state").c_str(), 1);
    ::setenv("PBOTVM_SERVER", std::to_string(port_).c_str(), 1);
    ::setenv("PBOTVM_IMAGE", options.image.c_str(), 1);
    ::setenv("PBOTVM_USER", "root", 1);  // the sockets of the machine between two hosts are ours
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    ::dup2(out, 1);
    ::dup2(out, 2);
    const auto program = (options.build / "bin" / "pbotvm-host").string();
    ::execl(program.c_str(), program.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  await_ready();
}

Host::~Host() {
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

std::string Host::request(const std::string& line) const {
  const auto fd = connect_blocking(Endpoint::tcp("127.0.0.1", port_));
  return exchange(fd.get(), line + "\n");
}

nlohmann::json Host::control(const nlohmann::json& command) const {
  const auto fd = connect_blocking(Endpoint::unix_socket((folder_ / "state" / "control.sock").string()));
  return nlohmann::json::parse(exchange(fd.get(), command.dump() + "\n"));
}

long Host::resident_kib() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
  }
  return 0;
}

void Host::await_ready() {
  for (const auto until = Deadline::in(300s); !until.expired(); ::usleep(20'000)) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) break;
    try {
      if (control({{"command", "status"}})["machines"][0]["state"] == "ready") return;
    } catch (const std::exception&) {
      // not listening yet
    }
  }
  std::ifstream log(folder_ / "host.log");
  std::cerr << log.rdbuf();
  throw Error(ErrorCode::timed_out, "pbotvm-host did not become ready");
}

}  // namespace pbotvm::bench

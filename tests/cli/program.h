// SPDX-License-Identifier: MIT
#pragma once

// Runs pbotvm and vm-client as processes, against servers inside the test.

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "pbotvm/unique_fd.h"

namespace pbotvm::testing {

struct Ended {
  int status = -1;
  std::string out, err;
};

/// Runs build/bin/NAME to its end. `environment` is all that it gets.
inline Ended run_program(const std::string& name, const std::vector<std::string>& arguments,
                         const std::vector<std::string>& environment, const std::string& input = {}) {
  int pipes[3][2];
  for (auto& pipe : pipes)
    if (::pipe2(pipe, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  std::vector<std::string> words = {std::string(BIN) + "/" + name};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv, envp;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  for (const std::string& word : environment) envp.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork");
  if (child == 0) {
    ::dup2(pipes[0][0], 0);
    ::dup2(pipes[1][1], 1);
    ::dup2(pipes[2][1], 2);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  ::close(pipes[0][0]);
  ::close(pipes[1][1]);
  ::close(pipes[2][1]);
  if (::write(pipes[0][1], input.data(), input.size()) < 0) throw std::runtime_error("write");
  ::close(pipes[0][1]);
  Ended ended;
  pollfd fds[2] = {{pipes[1][0], POLLIN, 0}, {pipes[2][0], POLLIN, 0}};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    ::poll(fds, 2, -1);
    for (pollfd& fd : fds) {
      if (fd.fd < 0 || fd.revents == 0) continue;
      char bytes[4096];
      const ssize_t size = ::read(fd.fd, bytes, sizeof bytes);
      if (size > 0) {
        (&fd == fds ? ended.out : ended.err).append(bytes, static_cast<std::size_t>(size));
      } else {
        ::close(fd.fd);
        fd.fd = -1;
      }
    }
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ended;
}

/// Serves one connection in a thread of its own and is joined at the end.
class OneShotServer {
 public:
  using Serve = std::function<void(int connection)>;

  /// On a free port of the loopback.
  explicit OneShotServer(Serve serve) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    listen_on(reinterpret_cast<const sockaddr*>(&address), size);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    start(std::move(serve));
  }

  /// On a Unix socket.
  OneShotServer(const std::string& path, Serve serve) : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    listen_on(reinterpret_cast<const sockaddr*>(&address), sizeof address);
    start(std::move(serve));
  }

  ~OneShotServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);  // wakes an accept that nobody came for
    thread_.join();
  }

  std::vector<std::string> environment() const {
    return {"PBOTVM_ADDR=127.0.0.1", "PBOTVM_SERVER=" + std::to_string(port_)};
  }

  /// For `Serve`: the bytes up to and with the first newline.
  static std::string read_line(int fd) {
    std::string line;
    char c;
    while (::read(fd, &c, 1) == 1) {
      line += c;
      if (c == '\n') break;
    }
    return line;
  }

  static void write_text(int fd, const std::string& text) {
    if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) throw std::runtime_error("send");
  }

  /// Reads one line, answers, closes.
  static Serve answering(std::string& line, std::string answer) {
    return [&line, answer](int fd) {
      line = read_line(fd);
      write_text(fd, answer);
    };
  }

 private:
  void listen_on(const sockaddr* address, socklen_t size) {
    if (::bind(listener_.get(), address, size) != 0 || ::listen(listener_.get(), 4) != 0)
      throw std::runtime_error("listen");
  }

  void start(Serve serve) {
    thread_ = std::thread([this, serve = std::move(serve)] {
      const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (connection) serve(connection.get());
    });
  }

  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace pbotvm::testing

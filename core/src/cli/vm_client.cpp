// SPDX-License-Identifier: MIT
#include "cli/vm_client.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "pbotvm/deadline.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::cli {

namespace {

using nlohmann::json;

constexpr std::chrono::seconds connect_patience{10};
constexpr std::size_t piece = 64 * 1024;  // bytes read at once

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

// Why it failed: an errno value, or a text where there is none.
struct Failure {
  int error = 0;
  std::string text;
};

int report(const Failure& failure, std::ostream& out) {
  out << "Fatal error: " << (failure.text.empty() ? std::strerror(failure.error) : failure.text)
      << "; try again later\n"
      << std::flush;
  return failure.error;
}

AddressList resolve(const std::string& address, std::uint16_t port, Failure& failure) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (error == EAI_SYSTEM) {
    failure = {errno, {}};
  } else if (error != 0) {
    failure = {EHOSTUNREACH, address + ": " + ::gai_strerror(error)};
  }
  return {error == 0 ? list : nullptr, &::freeaddrinfo};
}

// 0, or an errno value.
int connect_one(int fd, const addrinfo& target, const Deadline& deadline) {
  if (::connect(fd, target.ai_addr, target.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd ready{fd, POLLOUT, 0};
  int count;
  do {
    count = ::poll(&ready, 1, deadline.poll_timeout());
  } while (count < 0 && errno == EINTR);
  if (count == 0) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  if (count < 0 || ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

// A connected, non-blocking socket, or none and why.
UniqueFd connect_any(const addrinfo* list, Failure& failure) {
  const Deadline deadline = Deadline::in(connect_patience);
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    UniqueFd fd(::socket(at->ai_family, at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, at->ai_protocol));
    failure = {fd ? connect_one(fd.get(), *at, deadline) : errno, {}};
    if (failure.error == 0) return fd;
  }
  return {};
}

bool would_block() {
  return errno == EAGAIN || errno == EINTR;
}

// Both directions at once: a host that answers a line before it is whole must not be waited for, nor lose its answer.
class Exchange {
 public:
  Exchange(int fd, const std::string& line, std::ostream& out) : fd_(fd), line_(line), out_(out) {}

  // 0, or an errno value when the host was lost before it answered: an answer has a byte at least, its line's end.
  int run() {
    for (;;) {
      pollfd ready{fd_, static_cast<short>(sent_ < line_.size() ? POLLIN | POLLOUT : POLLIN), 0};
      if (::poll(&ready, 1, -1) < 0 && errno != EINTR) return errno;
      if ((ready.revents & POLLOUT) != 0) send_more();
      if ((ready.revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !read_more()) break;
    }
    if (answered_) return 0;
    return error_ != 0 ? error_ : ECONNRESET;
  }

 private:
  // One that no longer listens may still have answered.
  void send_more() {
    const ssize_t size = ::send(fd_, line_.data() + sent_, line_.size() - sent_, MSG_NOSIGNAL);
    if (size >= 0) {
      sent_ += static_cast<std::size_t>(size);
    } else if (!would_block()) {
      error_ = errno;
      sent_ = line_.size();
    }
  }

  bool read_more() {
    char bytes[piece];
    const ssize_t size = ::recv(fd_, bytes, sizeof bytes, 0);
    if (size > 0) {
      answered_ = true;
      out_.write(bytes, size).flush();
      return out_.good();
    }
    if (size < 0 && would_block()) return true;
    if (size < 0) error_ = errno;
    return false;
  }

  int fd_;
  const std::string& line_;
  std::ostream& out_;
  std::size_t sent_ = 0;
  bool answered_ = false;
  int error_ = 0;
};

bool is_object(const json& value) {
  return value.is_object();
}

}  // namespace

std::string client_line(std::string_view text, bool verbatim) {
  const bool brace = text.find_first_not_of(" \t") < text.size() && text[text.find_first_not_of(" \t")] == '{';
  if (brace && verbatim) {
    const json object = json::parse(text, nullptr, false);
    const bool one_line = text.find_first_of("\r\n") == std::string_view::npos;
    if (is_object(object)) return (one_line ? std::string(text) : object.dump()) + '\n';
  }
  const bool blank = text.find_first_not_of(" \t") == std::string_view::npos;
  if (!brace && !blank && text.find_first_of("\r\n") == std::string_view::npos) return std::string(text) + '\n';
  return json{{"code", text}}.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
}

std::string client_line(const std::vector<std::string>& arguments) {
  std::string text;
  for (std::size_t i = 0; i < arguments.size(); ++i) text += (i == 0 ? "" : " ") + arguments[i];
  return client_line(text, arguments.size() == 1);
}

int send_line(const std::string& address, std::uint16_t port, const std::string& line, std::ostream& out) {
  Failure failure;
  const AddressList addresses = resolve(address, port, failure);
  if (!addresses) return report(failure, out);
  const UniqueFd fd = connect_any(addresses.get(), failure);
  if (!fd) return report(failure, out);
  const int error = Exchange(fd.get(), line, out).run();
  return error == 0 ? 0 : report({error, {}}, out);
}

}  // namespace pbotvm::cli

// SPDX-License-Identifier: MIT
#include "host/line_server.h"

#include <Poco/Exception.h>
#include <Poco/Logger.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocket.h>
#include <Poco/Net/TCPServer.h>
#include <Poco/Net/TCPServerConnection.h>
#include <Poco/Net/TCPServerConnectionFactory.h>
#include <Poco/ThreadPool.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <thread>

#include "host/client_exchange.h"
#include "host/listening_socket.h"
#include "pbotvm/deadline.h"
#include "pbotvm/error.h"

namespace pbotvm::host {

namespace {

using namespace std::chrono_literals;

constexpr auto line_patience = 5s;              // for a whole line; the original's
constexpr auto look_interval = 200ms;           // for a host that ends
constexpr int max_clients = 256;                // served at one time, each by a thread that mostly waits
constexpr int max_pending = 256;                // accepted, not served yet
constexpr std::size_t max_drained = 64u << 20;  // bytes read and thrown away of a line that is too long

Poco::Logger& log() {
  return Poco::Logger::get("client");
}

Poco::Timespan timespan(std::chrono::milliseconds duration) {
  return Poco::Timespan(duration.count() * 1000);
}

// What all clients of a server share.
struct Shared {
  service::Service& service;
  ClientWatch& watch;
  const std::atomic<bool>& ending;
};

// One client's conversation.
class Connection : public Poco::Net::TCPServerConnection {
 public:
  Connection(const Poco::Net::StreamSocket& socket, const Shared& shared)
      : TCPServerConnection(socket), shared_(shared) {}

  void run() override {
    std::string peer = "?";
    try {
      peer = socket().peerAddress().toString();
      socket().setNoDelay(true);
      const auto line = read_line(peer);
      if (!line) return;
      if (!answer(*line, peer)) {
        log().information("%s: gone before its reply was sent", peer);
        control_.reply_lost();
        return;
      }
      socket().shutdownSend();
      linger();
    } catch (const Poco::Exception& e) {
      // Also of one that had closed its side before: that its system has no use for the reply is known only behind it.
      log().information("%s: gone before its reply was sent: %s", peer, e.displayText());
      control_.reply_lost();
    } catch (const std::exception& e) {
      log().error("%s: %s", peer, std::string(e.what()));
    }
  }

 private:
  // False when the client is gone.
  bool answer(const std::string& line, const std::string& peer) {
    const int fd = socket().impl()->sockfd();
    try {
      if (too_long_)
        throw service::RequestError("Invalid request: the line is longer than 1 MiB; send less, or in pieces.");
      return exchange(fd, service::parse_client_line(line), behind_, shared_.service, shared_.watch, control_);
    } catch (const service::RequestError& e) {
      log().warning("%s: %s", peer, std::string(e.what()));
      return fail(fd, e.form, "bad-request", e.what());
    } catch (const std::exception& e) {
      log().error("%s: %s", peer, std::string(e.what()));
      return fail(fd, service::ReplyForm::text, "host-failed",
                  "The host failed to serve this request; its log says why.");
    }
  }

  // A reply to what never became a request.
  static bool fail(int fd, service::ReplyForm form, const std::string& code, const std::string& text) {
    service::RequestControl control;
    SocketAudience audience(fd, form, control);
    audience.take(service::failure(code, text));
    return !audience.gone();
  }

  // The first line that is not blank; none when it does not come in time.
  std::optional<std::string> read_line(const std::string& peer) {
    const auto deadline = Deadline::in(line_patience);
    std::string pending;
    std::size_t drained = 0;
    std::size_t searched = 0;
    char buffer[65536];
    for (;;) {
      std::size_t begin = 0;
      for (auto end = pending.find('\n', searched); end != std::string::npos; end = pending.find('\n', begin)) {
        const auto line = std::string_view(pending).substr(begin, end - begin);
        begin = end + 1;
        if (too_long_ || line.find_first_not_of(" \t\r") != line.npos) {
          behind_ = pending.substr(begin);
          return std::string(line);
        }
      }
      pending.erase(0, begin);
      searched = pending.size();
      if (pending.size() > service::max_line) {
        // Read on to the line's end: a reply sent while the client still writes would be lost with the reset
        // connection.
        too_long_ = true;
        drained += pending.size();
        pending.clear();
        searched = 0;
        if (drained > max_drained) return std::string();
      }
      if (shared_.ending) return std::nullopt;
      const auto left = deadline.remaining();
      const bool ready = left > 0ms && socket().poll(timespan(std::min<std::chrono::milliseconds>(left, look_interval)),
                                                     Poco::Net::Socket::SELECT_READ);
      if (!ready && left > look_interval) continue;
      if (!ready) {
        log().information("%s: dropped, no whole line within 5 s", peer);
        return too_long_ ? std::optional<std::string>("") : std::nullopt;
      }
      const int got = socket().receiveBytes(buffer, sizeof buffer);
      if (got <= 0) {
        log().debug("%s: closed before a whole line", peer);
        return std::nullopt;
      }
      pending.append(buffer, static_cast<std::size_t>(got));
    }
  }

  // Waits for the client to close first, shortly: closing with unread bytes would reset the connection under the reply.
  void linger() {
    char buffer[4096];
    const auto deadline = Deadline::in(shared_.ending ? 100ms : 1000ms);
    while (socket().poll(timespan(deadline.remaining()), Poco::Net::Socket::SELECT_READ)) {
      if (socket().receiveBytes(buffer, sizeof buffer) <= 0 || deadline.expired()) return;
    }
  }

  const Shared shared_;
  bool too_long_ = false;
  std::string behind_;  // what came behind the line
  service::RequestControl control_;
};

class ConnectionFactory : public Poco::Net::TCPServerConnectionFactory {
 public:
  explicit ConnectionFactory(const Shared& shared) : shared_(shared) {}
  Poco::Net::TCPServerConnection* createConnection(const Poco::Net::StreamSocket& socket) override {
    return new Connection(socket, shared_);
  }

 private:
  const Shared shared_;
};

// A pool of its own, so that clients never starve what else uses Poco's default pool. Lives as long as the process.
Poco::ThreadPool& client_threads() {
  static Poco::ThreadPool pool(2, max_clients + 1, 60);
  return pool;
}

}  // namespace

LineServer::LineServer(const std::string& address, std::uint16_t port, service::Service& service)
    : watch_(std::make_unique<ClientWatch>()) {
  try {
    const Poco::Net::SocketAddress where(address, port);
    auto socket = listening_socket();
    socket.bind(where, true, false);  // the address, but never the port: a second host must fail
    socket.listen(128);
    auto* parameters = new Poco::Net::TCPServerParams;  // owned by the server
    parameters->setMaxThreads(max_clients);
    parameters->setMaxQueued(max_pending);
    server_ = std::make_unique<Poco::Net::TCPServer>(new ConnectionFactory({service, *watch_, ending_}),
                                                     client_threads(), socket, parameters);
  } catch (const Poco::Exception& e) {
    throw Error(ErrorCode::unavailable, "listen on " + address + ":" + std::to_string(port) + ": " + e.displayText(),
                "end what uses that port, or choose another one with host.server or PBOTVM_SERVER");
  }
}

LineServer::~LineServer() {
  server_->stop();
}

void LineServer::start() {
  server_->start();
}

void LineServer::stop_accepting() {
  ending_ = true;
  server_->stop();
}

bool LineServer::drain(std::chrono::milliseconds patience) {
  // Poco tells of a connection's end only by this count.
  for (const auto until = Deadline::in(patience); server_->currentConnections() > 0 && !until.expired();) {
    std::this_thread::sleep_for(5ms);
  }
  return server_->currentConnections() == 0;
}

}  // namespace pbotvm::host

// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <thread>

#include "contracts.h"
#include "pbotvm/settings_check.h"
#include "plugin/guard.h"

namespace pbotvm::contract {

namespace {

using namespace std::chrono_literals;

constexpr auto time_enough = 10s;  // for what should take a moment
constexpr auto short_time = 300ms;
constexpr auto slack = 5s;  // by which a call may miss its deadline on a busy system
constexpr std::size_t much = 1u << 20;
const char* const stray_key = "no-such-key";

[[noreturn]] void fail_errno(const std::string& what) {
  throw Error(ErrorCode::unavailable, errno_text(what, errno));
}

/// The place where a line ends, which a hypervisor would listen at.
class Listener {
 public:
  explicit Listener(Endpoint endpoint) : endpoint_(std::move(endpoint)) { listen(16); }

  const Endpoint& endpoint() const { return endpoint_; }

  /// Nobody is there any more, or again.
  void close() { socket_.reset(); }
  void listen(int backlog) {
    const bool tcp = endpoint_.kind == Endpoint::Kind::tcp;
    socket_.reset(::socket(tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1;
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (tcp)
      bind_port();
    else
      bind_path();
    if (::listen(socket_.get(), backlog) != 0) fail_errno("listen at " + endpoint_.text());
  }

  /// The next connection; none after `patience`.
  UniqueFd accept(std::chrono::milliseconds patience) const {
    pollfd waiting{socket_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(patience.count())) != 1) return UniqueFd();
    return UniqueFd(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }

 private:
  void bind_port() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(endpoint_.port);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket_.get(), generic, size) != 0 || ::getsockname(socket_.get(), generic, &size) != 0)
      fail_errno("listen at a TCP port");
    endpoint_.port = ntohs(address.sin_port);
  }

  void bind_path() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    endpoint_.path.copy(address.sun_path, sizeof address.sun_path - 1);
    ::unlink(address.sun_path);
    if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      fail_errno("listen at " + endpoint_.path);
  }

  Endpoint endpoint_;
  UniqueFd socket_;
};

/// Two lines of a machine, and a transport that uses one of them.
class Bench {
 public:
  Bench(std::string name, TransportFactory& factory, const std::string& settings)
      : unix_(Endpoint::unix_socket(folder_.path() / "line.sock")),
        tcp_({Endpoint::Kind::tcp, "127.0.0.1", 0, {}}),
        name_(std::move(name)),
        factory_(factory),
        settings_(replaced(replaced(settings, "%unix%", unix_.endpoint().text()), "%tcp%", tcp_.endpoint().text())) {
    machine_.name = "checked";
    machine_.domain = "checked";
    machine_.serial = tcp_.endpoint();
    machine_.heart = machine_.virtio_serial = unix_.endpoint();
    machine_.directory = folder_.path();
  }

  std::unique_ptr<Transport> make(const std::string& more = {}) {
    const Settings settings = Settings::parse(with(more), "settings");
    auto made = plugin::guarded({"transport", name_, "create"}, [&] { return factory_.create(machine_, settings); });
    demand(made != nullptr, "create() returned null");
    return made;
  }

  /// Of the factory that can check settings; null of another.
  SettingsCheck* settings_check() { return dynamic_cast<SettingsCheck*>(&factory_); }
  void check(const std::string& more = {}) {
    settings_check()->check(machine_, Settings::parse(with(more), "settings"));
  }

  /// The other end of a connection that was just made.
  UniqueFd accept(std::chrono::milliseconds patience = time_enough) {
    const Deadline deadline = Deadline::in(patience);
    do {
      if (auto end = tcp_.accept(5ms)) return end;
      if (auto end = unix_.accept(5ms)) return end;
    } while (!deadline.expired());
    return UniqueFd();
  }

  void close() {
    unix_.close();
    tcp_.close();
  }
  void listen(int backlog) {
    unix_.listen(backlog);
    tcp_.listen(backlog);
  }

  /// Takes every place in the queue of connections that nobody accepts: it is full when two attempts in a row find
  /// none, since on a busy system a single one may fail while there is room.
  std::vector<UniqueFd> fill() {
    std::vector<UniqueFd> taken;
    for (const Listener* line : {&unix_, &tcp_}) {
      int failed = 0;
      for (int i = 0; i < 16 && failed < 2; ++i) {
        try {
          taken.push_back(connect_endpoint(line->endpoint(), Deadline::in(100ms)));
          failed = 0;
        } catch (const Error&) {
          ++failed;
        }
      }
    }
    return taken;
  }

 private:
  std::string with(const std::string& more) const {
    if (more.empty()) return settings_;
    const auto end = settings_.find_last_of('}');
    const bool empty = settings_.find_first_not_of("{ \n", 0) == end;
    return settings_.substr(0, end) + (empty ? "" : ", ") + more + "}";
  }

  TemporaryFolder folder_;
  Listener unix_, tcp_;
  std::string name_;
  TransportFactory& factory_;
  std::string settings_;
  MachineSettings machine_;
};

void send_all(int fd, const std::string& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t sent = ::write(fd, bytes.data() + at, bytes.size() - at);
    if (sent > 0) at += static_cast<std::size_t>(sent);
    pollfd waiting{fd, POLLOUT, 0};
    if (sent < 0 && (errno != EAGAIN || ::poll(&waiting, 1, 10'000) != 1)) fail_errno("write to the stream");
  }
}

std::string receive(int fd, std::size_t size) {
  std::string bytes;
  while (bytes.size() < size) {
    pollfd waiting{fd, POLLIN, 0};
    if (::poll(&waiting, 1, 10'000) != 1) throw Broken("bytes that were sent did not arrive within 10 s");
    char piece[65536];
    const ssize_t got = ::read(fd, piece, sizeof piece);
    if (got == 0) break;
    if (got > 0) bytes.append(piece, static_cast<std::size_t>(got));
  }
  return bytes;
}

void demand_carried(int from, int to, const std::string& way) {
  std::string bytes(much, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 + i / 251);
  std::thread sender([&] {
    try {
      send_all(from, bytes);
    } catch (const Error&) {  // what is missing is found by the receiver
    }
  });
  std::string got;
  try {
    got = receive(to, bytes.size());
  } catch (...) {
    ::shutdown(from, SHUT_RDWR);
    sender.join();
    throw;
  }
  sender.join();
  demand(got == bytes, "of a megabyte of all byte values, something was changed on its way " + way);
}

// connect() where it cannot: it throws one of the two codes, by the deadline.
void demand_failure(Transport& transport, std::chrono::milliseconds patience, const std::string& what) {
  const auto begun = Deadline::Clock::now();
  try {
    transport.connect(Deadline::in(patience));
  } catch (const Error& error) {
    demand(error.code() == ErrorCode::unavailable || error.code() == ErrorCode::timed_out,
           what + ": its error is neither `unavailable` nor `timed_out`: " + error.what());
    demand_one_line(error.what(), what + ": its error");
    demand(Deadline::Clock::now() - begun < patience + slack, what + ": connect() came back long after its deadline");
    return;
  }
  throw Broken(what + ": connect() returned as if it were connected");
}

void check_descriptor(Bench& bench) {
  const auto transport = bench.make();
  const UniqueFd fd = transport->connect(Deadline::in(time_enough));
  demand(fd.get() >= 0, "connect() returned no descriptor");
  demand((::fcntl(fd.get(), F_GETFL) & O_NONBLOCK) != 0, "the descriptor blocks; set O_NONBLOCK");
  demand((::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0, "the descriptor survives exec; set FD_CLOEXEC");
  const UniqueFd other = bench.accept();
  demand(bool(other), "connect() returned, and nothing arrived at the line; name it in --settings by %unix% or %tcp%");
  demand_carried(fd.get(), other.get(), "to the guest");
  demand_carried(other.get(), fd.get(), "to the host");
}

void check_again(Bench& bench) {
  const auto transport = bench.make();
  for (int i = 0; i < 3; ++i) {
    const UniqueFd fd = transport->connect(Deadline::in(time_enough));
    const UniqueFd other = bench.accept();
    demand(fd && other, "a second connect() after the stream was closed does not connect");
  }
  bench.close();
  demand_failure(*transport, time_enough, "nobody listens");
  bench.listen(16);
  const UniqueFd fd = transport->connect(Deadline::in(time_enough));
  demand(bool(fd), "connect() fails after it failed once");
  bench.accept();
}

void check_deadline(Bench& bench) {
  const auto transport = bench.make();
  bench.listen(0);
  {
    const auto taken = bench.fill();
    demand_failure(*transport, short_time, "nobody accepts");
  }
  bench.listen(16);
}

void check_leaks(Bench& bench) {
  const auto transport = bench.make();
  const unsigned before = open_descriptors();
  for (int i = 0; i < 20; ++i) {
    const UniqueFd fd = transport->connect(Deadline::in(time_enough));
    bench.accept();
  }
  bench.close();
  for (int i = 0; i < 20; ++i) {
    try {
      transport->connect(Deadline::in(short_time));
    } catch (const Error&) {
    }
  }
  bench.listen(16);
  const unsigned after = open_descriptors();
  demand(after <= before,
         "of 40 calls of connect(), " + std::to_string(after - before) + " descriptors were left open");
}

void check_signs(Transport& transport) {
  demand(transport.extension("pbotvm.no-such-interface/1") == nullptr,
         "extension() returns something for an identifier that nobody has");
  auto* signs = static_cast<SignsOfLife*>(transport.extension(SignsOfLife::identifier));
  if (signs == nullptr) return;
  signs->feed(std::string(much, 'x'));
  signs->feed(std::string("\0\xff\n\r", 4));
  signs->reset();
  demand(!signs->feed(""), "no bytes at all are taken for a sign of life");
}

}  // namespace

void check_transport(Checks& checks, const std::string& name, TransportFactory& factory, const std::string& settings) {
  Bench bench(name, factory, settings);
  checks.run("is made without connecting, and says where it leads in a line", [&] {
    const auto transport = bench.make();
    demand_one_line(transport->description(), "description()");
    demand(!bench.accept(50ms), "create() connects; that is connect()'s to do");
  });
  if (checks.broken() != 0) return;
  checks.run("refuses a key that it does not know",
             [&] { demand_refusal_of_key(stray_key, [&] { bench.make(std::string(stray_key) + ": 1"); }); });
  checks.run("checks its settings without leaving a trace (SettingsCheck)", [&] {
    demand(bench.settings_check() != nullptr, "derive the factory from pbotvm::SettingsCheck too");
    bench.check();
    demand(!bench.accept(50ms), "check() connects");
    demand_refusal_of_key(stray_key, [&] { bench.check(std::string(stray_key) + ": 1"); });
  });
  checks.run("hands over a stream that carries all bytes both ways", [&] { check_descriptor(bench); });
  if (checks.broken() != 0) return;
  checks.run("connects again, also after nobody was there", [&] { check_again(bench); });
  checks.run("comes back by its deadline when nobody accepts", [&] { check_deadline(bench); });
  checks.run("leaves no descriptor open", [&] { check_leaks(bench); });
  checks.run("its extensions are sound", [&] { check_signs(*bench.make()); });
}

}  // namespace pbotvm::contract

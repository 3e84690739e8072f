// SPDX-License-Identifier: MIT

// How long a request takes, beside its floor in the same run and on the same machine: the echo of a frame over the same
// transport plus a bare fork and exec of the same command in the guest. All of them are paced alike, with a rest of 5
// ms in between, as chat has it: in a tight loop an emulated processor never goes to sleep, and a bare exec takes half
// the time, but then it is the floor of nothing that a client could ask for. That figure is printed too
// (exec_tight_ms). Also what a revert takes beside a plain load of the snapshot, and how much memory host and guest
// hold. Prints JSON.

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "machine/frame_session.h"
#include "pbotvm/error.h"
#include "plugin/registry.h"

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using namespace pbotvm;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr char usage[] =
    "usage: bench-latency [--transport NAME]... [--count N] [--image DIR]\n"
    "Measures requests over each transport (virtio-serial and serial unless told otherwise) beside their floor. Prints "
    "JSON.\n";

constexpr auto rest = 5ms;  // between two measurements of any kind

struct Options {
  std::vector<std::string> transports;
  int count = 100;
  fs::path image;
  fs::path build;  // where bin/ and lib/ are
};

// A command that runs a bare fork and exec of `sh prog.sh` again and again, and prints the milliseconds of each. Its
// arguments: how often, and the microseconds of rest in between; then it does as many without a rest.
constexpr char exec_floor_source[] = R"(
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e3 + t.tv_nsec / 1e6; }
int main(int argc, char **argv) {
  (void)argc;
  int count = atoi(argv[1]);
  for (int i = 0; i < 2 * count; i++) {
    double begun = now();
    pid_t child = fork();
    if (child == 0) {
      int null = open("/dev/null", O_WRONLY);
      dup2(null, 1);
      execlp("sh", "sh", "prog.sh", (char *)0);
      _exit(127);
    }
    waitpid(child, 0, 0);
    printf("%.4f\n", now() - begun);
    if (i < count) usleep(atoi(argv[2]));
  }
  return 0;
}
)";

double percentile(std::vector<double> values, double p) {
  if (values.empty()) return NAN;
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<std::size_t>(std::ceil(p / 100 * static_cast<double>(values.size())));
  return values[std::min(values.size(), std::max<std::size_t>(rank, 1)) - 1];
}

double rounded(double value) {
  return std::round(value * 1000) / 1000;
}

ordered_json summary(const std::vector<double>& values) {
  return {{"p50", rounded(percentile(values, 50))},
          {"p95", rounded(percentile(values, 95))},
          {"p99", rounded(percentile(values, 99))},
          {"n", values.size()}};
}

template <typename Call>
double milliseconds_of(Call&& call) {
  const auto begun = Clock::now();
  call();
  return Milliseconds(Clock::now() - begun).count();
}

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
  for (ssize_t got; (got = ::recv(fd, buffer, sizeof buffer, 0)) > 0;)
    reply.append(buffer, static_cast<std::size_t>(got));
  return reply;
}

// Blocking, as a client's is.
UniqueFd connect_blocking(const Endpoint& endpoint) {
  auto fd = connect_endpoint(endpoint, Deadline::in(5s));
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) & ~O_NONBLOCK);
  return fd;
}

// A pbotvm-host of our own, below `folder`.
class Host {
 public:
  Host(const Options& options, const fs::path& folder, const std::string& yaml) : folder_(folder), port_(free_port()) {
    fs::create_directories(folder);
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

  ~Host() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }

  std::string request(const std::string& line) {
    const auto fd = connect_blocking(Endpoint::tcp("127.0.0.1", port_));
    return exchange(fd.get(), line + "\n");
  }

  nlohmann::json control(const nlohmann::json& command) {
    const auto fd = connect_blocking(Endpoint::unix_socket((folder_ / "state" / "control.sock").string()));
    return nlohmann::json::parse(exchange(fd.get(), command.dump() + "\n"));
  }

  long resident_kib() const {
    std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
    }
    return 0;
  }

 private:
  void await_ready() {
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

  fs::path folder_;
  std::uint16_t port_;
  pid_t pid_ = -1;
};

// A conversation with the guest without a host: for the floors.
class Floor {
 public:
  Floor(Transport& transport) : session_(transport.connect(Deadline::in(5s)), transport.description()) {
    session_.hello({});
    auto repeat = Deadline::in(250ms);
    while (!until<machine::Session::Welcomed>(repeat)) {
      session_.repeat_hello();
      repeat = Deadline::in(250ms);
    }
  }

  double echo() {
    std::this_thread::sleep_for(rest);
    return milliseconds_of([&] {
      session_.ping(std::string(64, 'p'));
      if (!until<machine::Session::Ponged>(Deadline::in(5s))) throw Error(ErrorCode::timed_out, "no echo");
    });
  }

  // The same command as a job, without a host: what the guest and the frames cost. Waits until the slot is free again,
  // not counted.
  double job() {
    Job job;
    job.files = {{"prog.sh", "echo hello\n", 0644}};
    job.steps = {Step{"run", {"sh", "prog.sh"}, {}, true, When::always}};
    job.limits = {10s, 10s, 1 << 18, 256u << 20, 64, 16u << 20, 64};
    std::this_thread::sleep_for(rest);
    const double time = milliseconds_of([&] {
      session_.start_job(++last_job_, job, {});
      if (!until<machine::Session::Ended>(Deadline::in(15s))) throw Error(ErrorCode::timed_out, "a job did not end");
    });
    until<machine::Session::Cleaned>(Deadline::in(5s));
    return time;
  }

  std::vector<double> bare_exec(int count) {
    Job job;
    job.files = {{"floor.c", exec_floor_source, 0644}, {"prog.sh", "echo hello\n", 0644}};
    Step compile{"compile", {"gcc", "-O1", "floor.c", "-o", "floor"}, {}, false, When::always};
    Step run{"run",
             {"./floor", std::to_string(count), std::to_string(std::chrono::microseconds(rest).count())},
             {},
             false,
             When::after_success};
    job.steps = {compile, run};
    job.limits = {60s, 60s, 1 << 20, 256u << 20, 64, 16u << 20, 64};
    session_.start_job(++last_job_, job, {});
    const auto ended = until<machine::Session::Ended>(Deadline::in(90s));
    if (!ended) throw Error(ErrorCode::timed_out, "the bare fork and exec did not end");
    std::string text;
    for (const auto& chunk : ended->result.output) text += chunk.bytes;
    std::istringstream lines(text);
    std::vector<double> times;
    for (double time; lines >> time;) times.push_back(time);
    if (times.size() != 2 * static_cast<std::size_t>(count))
      throw Error(ErrorCode::internal, "the bare fork and exec said: " + text);
    until<machine::Session::Cleaned>(Deadline::in(5s));
    return times;
  }

 private:
  template <typename Event>
  std::optional<Event> until(const Deadline& deadline) {
    while (!deadline.expired()) {
      for (auto& event : session_.pump()) pending_.push_back(std::move(event));
      while (!pending_.empty()) {
        auto event = std::move(pending_.front());
        pending_.pop_front();
        if (auto* wanted = std::get_if<Event>(&event)) return std::move(*wanted);
      }
      pollfd fd{session_.fd(), static_cast<short>(POLLIN | (session_.wants_to_write() ? POLLOUT : 0)), 0};
      ::poll(&fd, 1, deadline.poll_timeout());
    }
    return std::nullopt;
  }

  machine::FrameSession session_;
  std::deque<machine::Session::Event> pending_;
  std::uint32_t last_job_ = 0;
};

std::string machine_yaml(const std::string& hypervisor, const std::string& transport, const fs::path& sockets) {
  const auto socket = [&](const char* name) { return "\"unix:" + (sockets / name).string() + "\""; };
  return "machines:\n  pbot-vm:\n    hypervisor: " + hypervisor + "\n    transports: [" + transport +
         "]\n    serial: " + socket("serial.sock") + "\n    heart: " + socket("heart.sock") +
         "\n    virtio_serial: " + socket("virtio-serial.sock") + "\n";
}

std::vector<double> time_requests(Host& host, int count) {
  std::vector<double> times;
  for (int i = 0; i < count + 2; ++i) {  // the first two warm up
    std::string reply;
    std::this_thread::sleep_for(rest);
    const double time = milliseconds_of([&] { reply = host.request("-lang=sh echo hello"); });
    if (reply != "hello\n") throw Error(ErrorCode::internal, "a request was answered with: " + reply);
    if (i >= 2) times.push_back(time);
  }
  return times;
}

ordered_json measure_reverts(Host& host, std::vector<double> plain) {
  std::vector<double> reverts;
  for (int i = 0; i < 10; ++i) {
    const auto answer = host.control({{"command", "revert"}, {"machine", "pbot-vm"}});
    if (!answer.value("ok", false)) throw Error(ErrorCode::internal, "revert: " + answer.dump());
    reverts.push_back(answer["seconds"].get<double>() * 1000);
  }
  return {{"revert_to_ready_ms", summary(reverts)},
          {"plain_load_ms", summary(plain)},
          {"ratio", rounded(percentile(reverts, 50) / percentile(plain, 50))}};
}

// Floor and requests take turns, so that both see the same moods of a shared system.
ordered_json measure_transport(const Options& options, const fs::path& folder, const std::string& name,
                               const plugin::Registry& plugins, const MachineSettings& settings, ordered_json& memory) {
  constexpr int rounds = 20;
  const int count = std::max(1, options.count / rounds);
  std::vector<double> echo, exec, tight, jobs, requests;
  const auto transport = plugins.transport(name).create(settings, Settings());
  for (int round = 0; round < rounds; ++round) {
    {
      Floor floor(*transport);
      const auto bare = floor.bare_exec(count);
      exec.insert(exec.end(), bare.begin(), bare.begin() + count);
      tight.insert(tight.end(), bare.begin() + count, bare.end());
      for (int i = 0; i < count; ++i) echo.push_back(floor.echo());
      for (int i = 0; i < count; ++i) jobs.push_back(floor.job());
    }
    Host host(options, folder / name, machine_yaml("none", name, folder / "s"));
    for (const double time : time_requests(host, count)) requests.push_back(time);
    memory["host_kib"] = host.resident_kib();
    memory["guest_figures"] = host.control({{"command", "health"}, {"machine", "pbot-vm"}}).value("figures", "");
  }
  const double floor_ms = percentile(echo, 50) + percentile(exec, 50);
  return {{"transport", name},
          {"request_ms", summary(requests)},
          {"job_without_host_ms", summary(jobs)},
          {"echo_ms", summary(echo)},
          {"exec_ms", summary(exec)},
          {"exec_tight_ms", summary(tight)},
          {"floor_ms", rounded(floor_ms)},
          {"ratio", rounded(percentile(requests, 50) / floor_ms)},
          {"ratio_to_tight", rounded(percentile(requests, 50) / (percentile(echo, 50) + percentile(tight, 50)))}};
}

ordered_json run(const Options& options, const fs::path& folder) {
  const fs::path sockets = folder / "s";
  fs::create_directories(sockets);
  ordered_json report;
  ordered_json revert, memory;
  const plugin::Registry plugins({options.build / "lib" / "pbotvm"});
  MachineSettings settings;
  settings.name = settings.domain = "pbot-vm";
  settings.serial = Endpoint::unix_socket((sockets / "serial.sock").string());
  settings.heart = Endpoint::unix_socket((sockets / "heart.sock").string());
  settings.virtio_serial = Endpoint::unix_socket((sockets / "virtio-serial.sock").string());
  settings.directory = "machines/pbot-vm";
  settings.image = options.image.string();

  { const Host first(options, folder, machine_yaml("qemu", "virtio-serial", sockets)); }  // takes the snapshot

  fs::current_path(folder / "state");
  std::vector<double> plain;
  const auto qemu = plugins.hypervisor("qemu").create(settings, Settings());
  if (qemu->start(Deadline::in(60s)) != Started::restored)
    throw Error(ErrorCode::internal, "the snapshot was not used");
  for (int i = 0; i < 10; ++i) plain.push_back(milliseconds_of([&] { qemu->revert(Deadline::in(20s)); }));

  for (const auto& name : options.transports) {
    report["transports"].push_back(measure_transport(options, folder, name, plugins, settings, memory));
  }
  qemu->stop(Deadline::in(5s));
  {
    Host host(options, folder, machine_yaml("qemu", "virtio-serial", sockets));
    report["revert"] = measure_reverts(host, plain);
  }
  report["memory"] = memory;
  return report;
}

Options parse(int argc, char** argv) {
  Options options;
  options.build = fs::read_symlink("/proc/self/exe").parent_path().parent_path();
  options.image = options.build / "image";
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--help") {
      std::cout << usage;
      std::exit(0);
    }
    if (i + 1 >= argc) throw std::invalid_argument(name);
    const std::string value = argv[++i];
    if (name == "--transport") {
      options.transports.push_back(value);
    } else if (name == "--count") {
      options.count = std::max(1, std::atoi(value.c_str()));
    } else if (name == "--image") {
      options.image = fs::absolute(value);
    } else {
      throw std::invalid_argument(name);
    }
  }
  if (options.transports.empty()) options.transports = {"virtio-serial", "serial"};
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  try {
    options = parse(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "bench-latency: bad option " << e.what() << "\n" << usage;
    return 64;
  }
  char folder[] = "/tmp/pbotvm-bench-XXXXXX";
  if (::mkdtemp(folder) == nullptr) return 1;
  int status = 0;
  try {
    std::cout << run(options, folder).dump(2) << std::endl;
  } catch (const std::exception& e) {
    std::cerr << "bench-latency: " << e.what() << std::endl;
    status = 1;
  }
  fs::current_path("/");
  fs::remove_all(folder);
  return status;
}

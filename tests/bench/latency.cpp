// SPDX-License-Identifier: MIT

// How long a request takes, beside its floor in the same run and on the same machine: the echo of a frame over the same
// transport plus a bare fork and exec of the same command in the guest. All of them are paced alike, with a rest of 5
// ms in between, as chat has it: in a tight loop an emulated processor never goes to sleep, and a bare exec takes half
// the time, but then it is the floor of nothing that a client could ask for. That figure is printed too
// (exec_tight_ms). Also what happens when more than one thing is wanted at once, what a revert takes beside a plain
// load of the snapshot, and how much memory host and guest hold. Prints JSON.

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "bench.h"
#include "floor.h"
#include "host.h"
#include "load.h"
#include "pbotvm/error.h"
#include "plugin/registry.h"

namespace {

namespace fs = std::filesystem;
using namespace pbotvm;
using namespace pbotvm::bench;
using namespace std::chrono_literals;

constexpr char usage[] =
    R"(usage: bench-latency [--transport NAME]... [--count N] [--slots N] [--image DIR] [--no-machine PATH]
Measures requests over each transport (virtio-serial and serial unless told otherwise) beside their floor. Prints JSON.
  --transport NAME   virtio-serial, serial or vsock. VM sockets are measured inside a guest only, with --no-machine
  --count N          measurements of each time (100)
  --slots N          jobs at one time (two for each processor, 4 to 8)
  --image DIR        the guest image (image, beside bin)
  --no-machine PATH  a guest program runs on this system and is measured instead of a machine; it serves the Unix
                     socket PATH (for virtio-serial and serial), or VM sockets, CID 1 port 5555 (for vsock: PATH is -)
Keys of each of "transports"; times are in milliseconds with p50, p95 and p99, rates in 10^6 bytes a second:
  request_ms          `-lang=sh echo hello` through host and guest, one at a time
  job_without_host_ms the same job without a host
  echo_ms, exec_ms    a frame's echo; a bare fork and exec of `sh prog.sh` in the guest
  exec_tight_ms       the same without a rest in between
  floor_ms, ratio     echo + exec, p50; request_ms to that
  ratio_to_tight      request_ms to echo + exec_tight
  clients             one_jobs_per_s, eight_jobs_per_s: by one client, by eight at once; ratio; failed requests
  throughput          output_mb_per_s: of one job without a host; request_mb_per_s: of one request, to its client;
                      echo_mb_per_s: of as many bytes echoed by the guest; ratio, request_ratio to that
  cross_delay         alone_ms, beside_a_flood_ms: the job without a host, alone and while another one writes without
                      end; added_p50_ms, added_p95_ms
"revert": revert_to_ready_ms, plain_load_ms, ratio. "memory": of the host, KiB, and the guest's figures.
)";

// A machine that runs already, as a host sees it.
std::string machine_yaml(const Options& options, const std::string& hypervisor, const std::string& transport,
                         const MachineSettings& settings) {
  // Without a back end that makes the others, only the one that is used.
  const auto quoted = [&](const char* line, const Endpoint& endpoint) {
    return "\"" + (hypervisor == "none" && transport != line ? "0" : endpoint.text()) + "\"";
  };
  std::string yaml =
      "host:\n  timeout: 120\n  output_limit: 16 MiB\nmachines:\n  pbot-vm:\n    hypervisor: " + hypervisor +
      "\n    slots: " + std::to_string(options.slots) + "\n    transports: [" + transport + "]\n    heart: " + "\"" +
      settings.heart.text() + "\"" + "\n    virtio_serial: " + quoted("virtio-serial", settings.virtio_serial) +
      "\n    serial: " + quoted("serial", settings.serial) + "\n";
  if (transport == "vsock") yaml += "    cid: 1\n    vport: 5555\n";
  return yaml;
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
  constexpr int rounds = 10;
  const int count = std::max(1, options.count / rounds);
  const std::size_t bytes = name == "serial" && options.machine ? 1'000'000 : 10'000'000;
  const auto yaml = machine_yaml(options, "none", name, settings);
  std::vector<double> echo, exec, tight, jobs, requests;
  const auto transport = plugins.transport(name).create(settings, Settings());
  for (int round = 0; round < rounds; ++round) {
    {
      Floor floor(*transport, options.slots);
      const auto bare = floor.bare_exec(count);
      exec.insert(exec.end(), bare.begin(), bare.begin() + count);
      tight.insert(tight.end(), bare.begin() + count, bare.end());
      for (int i = 0; i < count; ++i) echo.push_back(floor.echo());
      for (int i = 0; i < count; ++i) jobs.push_back(floor.job());
    }
    Host host(options, folder / name, yaml);
    for (const double time : time_requests(host, count)) requests.push_back(time);
    memory["host_kib"] = host.resident_kib();
    memory["guest_figures"] = host.control({{"command", "health"}, {"machine", "pbot-vm"}}).value("figures", "");
  }
  const double floor_ms = percentile(echo, 50) + percentile(exec, 50);
  ordered_json report = {
      {"transport", name},
      {"request_ms", summary(requests)},
      {"job_without_host_ms", summary(jobs)},
      {"echo_ms", summary(echo)},
      {"exec_ms", summary(exec)},
      {"exec_tight_ms", summary(tight)},
      {"floor_ms", rounded(floor_ms)},
      {"ratio", rounded(percentile(requests, 50) / floor_ms)},
      {"ratio_to_tight", rounded(percentile(requests, 50) / (percentile(echo, 50) + percentile(tight, 50)))}};
  report["throughput"] = measure_throughput(*transport, bytes, options.slots);
  report["cross_delay"] = measure_cross_delay(*transport, std::max(5, options.count / 10), options.slots);
  {
    const Host host(options, folder / name, yaml);
    report["clients"] = measure_clients(host, options.count);
    const double mb_per_s = request_throughput(host, bytes);
    report["throughput"]["request_mb_per_s"] = rounded(mb_per_s);
    report["throughput"]["request_ratio"] = rounded(mb_per_s / report["throughput"]["echo_mb_per_s"].get<double>());
  }
  return report;
}

void measure_transports(const Options& options, const fs::path& folder, const plugin::Registry& plugins,
                        const MachineSettings& settings, ordered_json& report) {
  ordered_json memory;
  for (const auto& name : options.transports) {
    report["transports"].push_back(measure_transport(options, folder, name, plugins, settings, memory));
  }
  report["memory"] = memory;
}

ordered_json run_with_machine(const Options& options, const fs::path& folder) {
  const fs::path sockets = folder / "s";
  fs::create_directories(sockets);
  const plugin::Registry plugins({options.build / "lib" / "pbotvm"});
  MachineSettings settings;
  settings.name = settings.domain = "pbot-vm";
  settings.serial = Endpoint::unix_socket((sockets / "serial.sock").string());
  settings.heart = Endpoint::unix_socket((sockets / "heart.sock").string());
  settings.virtio_serial = Endpoint::unix_socket((sockets / "virtio-serial.sock").string());
  settings.directory = "machines/pbot-vm";
  settings.image = options.image.string();
  const auto yaml = machine_yaml(options, "qemu", "virtio-serial", settings);
  { const Host first(options, folder, yaml); }  // takes the snapshot

  fs::current_path(folder / "state");
  ordered_json report;
  std::vector<double> plain;
  const auto qemu = plugins.hypervisor("qemu").create(settings, Settings());
  if (qemu->start(Deadline::in(60s)) != Started::restored)
    throw Error(ErrorCode::internal, "the snapshot was not used");
  for (int i = 0; i < 10; ++i) plain.push_back(milliseconds_of([&] { qemu->revert(Deadline::in(20s)); }));
  measure_transports(options, folder, plugins, settings, report);
  qemu->stop(Deadline::in(5s));
  Host host(options, folder, yaml);
  report["revert"] = measure_reverts(host, plain);
  return report;
}

ordered_json run_without_machine(const Options& options, const fs::path& folder) {
  const plugin::Registry plugins({options.build / "lib" / "pbotvm"});
  MachineSettings settings;
  settings.name = settings.domain = "pbot-vm";
  settings.serial = settings.virtio_serial = Endpoint::unix_socket(options.guest);
  settings.cid = 1;
  settings.vport = 5555;
  ordered_json report;
  measure_transports(options, folder, plugins, settings, report);
  return report;
}

// A VM socket of the system that this runs on may lead anywhere: only the loopback of a guest is measured.
void check(const Options& options) {
  const auto& names = options.transports;
  if (std::find(names.begin(), names.end(), "vsock") == names.end()) return;
  if (!options.machine && fs::exists("/sys/module/vsock_loopback")) return;
  throw Error(ErrorCode::refused, "vsock is measured inside a guest only",
              "run this there, with vsock_loopback loaded, `pbotvm-guest --vsock 5555` beside it, and --no-machine -");
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
    } else if (name == "--slots") {
      options.slots = std::clamp(std::atoi(value.c_str()), 1, 64);
    } else if (name == "--image") {
      options.image = fs::absolute(value);
    } else if (name == "--no-machine") {
      options.machine = false;
      options.guest = fs::absolute(value);
    } else {
      throw std::invalid_argument(name);
    }
  }
  if (options.slots == 0) options.slots = std::clamp(2 * static_cast<int>(std::thread::hardware_concurrency()), 4, 8);
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
    check(options);
    const auto report = options.machine ? run_with_machine(options, folder) : run_without_machine(options, folder);
    std::cout << report.dump(2) << std::endl;
  } catch (const std::exception& e) {
    std::cerr << "bench-latency: " << e.what() << std::endl;
    status = 1;
  }
  fs::current_path("/");
  fs::remove_all(folder);
  return status;
}

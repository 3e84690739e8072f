// SPDX-License-Identifier: MIT
#include "options.h"

#include <getopt.h>
#include <sys/un.h>

#include <charconv>
#include <cstdlib>

#include "containment.h"
#include "system.h"

namespace pbotvm::guest {
namespace {

std::string listening_path(const std::string& text) {
  static constexpr std::string_view scheme = "unix:";
  if (!text.starts_with(scheme) || text.size() == scheme.size()) {
    throw UsageError("--listen takes unix:PATH, not '" + text + "'");
  }
  const std::string path = text.substr(scheme.size());
  if (path.size() >= sizeof(sockaddr_un::sun_path)) throw UsageError("the path of a socket is too long: " + path);
  return path;
}

template <typename Number>
Number number_of(const std::string& name, std::string_view text, Number least, Number most) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most) {
    throw UsageError(name + " takes a number from " + std::to_string(least) + " to " + std::to_string(most) +
                     ", not '" + std::string(text) + "'");
  }
  return number;
}

std::uint32_t vsock_port(const std::string& name, std::string_view text) {
  return number_of<std::uint32_t>(name, text, 1, 0xfffffffe);  // the highest stands for "any"
}

std::chrono::milliseconds seconds(const std::string& name, std::string_view text) {
  return std::chrono::seconds(number_of<int>(name, text, 1, 3600));
}

void take_environment(Options& options) {
  const char* const port = std::getenv("PBOTVM_VPORT");
  if (port && *port && options.vsock.empty()) options.vsock.push_back(vsock_port("PBOTVM_VPORT", port));
}

void allow_missing(Options& options, std::string_view names) {
  for_each_part(names, ',', [&](std::string_view name) {
    bool known = name == "all";
    for (const auto piece : containment_pieces) {
      if (name == "all" || name == piece) {
        options.allow_missing.emplace(piece);
        known = true;
      }
    }
    if (!known) throw UsageError("--allow-missing knows no '" + std::string(name) + "'; see --help");
  });
}

}  // namespace

Options parse_options(int argc, char** argv) {
  static const option known[] = {{"serial", required_argument, nullptr, 's'},
                                 {"virtio-serial", required_argument, nullptr, 'v'},
                                 {"listen", required_argument, nullptr, 'l'},
                                 {"vsock", required_argument, nullptr, 'k'},
                                 {"pbot-timeout", required_argument, nullptr, 't'},
                                 {"heartbeat", required_argument, nullptr, 'b'},
                                 {"user", required_argument, nullptr, 'u'},
                                 {"work", required_argument, nullptr, 'w'},
                                 {"allow-missing", required_argument, nullptr, 'a'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {"version", no_argument, nullptr, 'V'},
                                 {}};
  Options options;
  opterr = 0;
  optind = 1;
  for (int found; (found = getopt_long(argc, argv, ":", known, nullptr)) != -1;) {
    switch (found) {
      case 's':
        options.serial.emplace_back(optarg);
        break;
      case 'v':
        options.virtio_serial.emplace_back(optarg);
        break;
      case 'l':
        options.listen.push_back(listening_path(optarg));
        break;
      case 'k':
        options.vsock.push_back(vsock_port("--vsock", optarg));
        break;
      case 't':
        options.pbot_time = seconds("--pbot-timeout", optarg);
        break;
      case 'b':
        options.heartbeat.emplace_back(optarg);
        break;
      case 'u':
        options.user = optarg;
        break;
      case 'w':
        options.work = optarg;
        break;
      case 'a':
        allow_missing(options, optarg);
        break;
      case 'h':
        options.help = true;
        break;
      case 'V':
        options.version = true;
        break;
      default:
        throw UsageError(std::string("unknown option, or one without its value: ") + argv[optind - 1] + "; see --help");
    }
  }
  if (optind < argc) throw UsageError(std::string("unexpected argument '") + argv[optind] + "'; see --help");
  if (options.help || options.version) return options;
  take_environment(options);
  if (options.serial.empty() && options.virtio_serial.empty() && options.listen.empty() && options.vsock.empty()) {
    throw UsageError("no line to serve: give --serial, --virtio-serial, --vsock or --listen; see --help");
  }
  if (options.work.empty() || options.work.front() != '/') throw UsageError("--work takes an absolute path");
  return options;
}

std::string usage() {
  std::string text =
      "usage: pbotvm-guest [--serial TTY] [--virtio-serial NAME|PATH] [--vsock PORT] [--listen unix:PATH]\n"
      "                    [--heartbeat TTY|FILE|unix:PATH] [--pbot-timeout SECONDS] [--user NAME] [--work DIR]\n"
      "                    [--allow-missing PIECE,...|all] [--help] [--version]\n"
      "Runs the jobs that a host sends over these lines, in frames or in PBot's own JSON dialect. Each line option "
      "may\n"
      "be given several times; a line that this system does not have is passed over, as long as another one works.\n"
      "  --serial TTY           a serial line, such as /dev/ttyS2\n"
      "  --virtio-serial NAME   a virtio-serial port by its name, such as pbotvm.data, or by its path\n"
      "  --vsock PORT           a port of VM sockets (AF_VSOCK), such as 5555; every connection is a line of its own.\n"
      "                         Where it is not given, PBOTVM_VPORT in the environment stands for it\n"
      "  --listen unix:PATH     a Unix socket; every connection is a line of its own\n"
      "  --heartbeat WHERE      gets a newline every 5 s, and answers one with figures and a line :END\n"
      "  --pbot-timeout SECONDS how long a job in PBot's dialect may take (9): less than its host waits\n"
      "  --user NAME            whom jobs run as (vm)\n"
      "  --work DIR             a job's directory (/home/vm)\n"
      "  --allow-missing PIECE  start although the system cannot give this piece of containment:\n"
      "                         ";
  for (const auto piece : containment_pieces)
    text += std::string(piece) + (piece == containment_pieces.back() ? "" : ", ");
  return text +
         ", or all.\n"
         "                         clock, entropy and priority concern the whole system: named here, they are left "
         "alone.\n"
         "Exit status: 64 wrong usage, 69 the system lacks something that no option accepts.\n";
}

}  // namespace pbotvm::guest

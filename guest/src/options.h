// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace pbotvm::guest {

struct Options {
  std::vector<std::string> serial;            ///< tty devices that carry frames
  std::vector<std::string> virtio_serial;     ///< names of virtio-serial ports, or paths
  std::vector<std::string> listen;            ///< paths of Unix sockets to listen on
  std::vector<std::uint32_t> vsock;           ///< ports of VM sockets to listen on
  std::vector<std::string> heartbeat;         ///< tty device, file, or "unix:PATH"
  std::string user = "vm";                    ///< whom a job runs as
  std::string work = "/home/vm";              ///< a job's directory
  std::chrono::milliseconds pbot_time{9000};  ///< for a job that comes in PBot's own dialect
  std::set<std::string> allow_missing;        ///< pieces of containment that may be missing
  bool help = false;
  bool version = false;
};

/// Wrong usage; leads to exit status 64.
class UsageError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// PBOTVM_VPORT in the environment stands for --vsock where that is not given.
Options parse_options(int argc, char** argv);
std::string usage();

}  // namespace pbotvm::guest

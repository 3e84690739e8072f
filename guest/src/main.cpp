// SPDX-License-Identifier: MIT
// pbotvm-guest: runs the jobs that a host sends, inside a virtual machine.

#include <fcntl.h>
#include <malloc.h>
#include <sysexits.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "containment.h"
#include "event_loop.h"
#include "host/service_notify.h"
#include "options.h"
#include "pbotvm/abi.h"
#include "server.h"

namespace pbotvm::guest {
namespace {

// Every standard descriptor is open, so that no line ever gets one of their numbers.
void fill_standard_descriptors() {
  int fd = 0;
  do {
    fd = open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) close(fd);
}

// Jobs inherit these. A closed pipe is this program's to notice by itself.
void settle_signals() {
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  signal(SIGPIPE, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

int serve(const Options& options) {
  const Containment containment(options);
  const auto complaints = containment.complaints();
  for (const auto& line : complaints) log_line(line);
  if (!complaints.empty()) return EX_UNAVAILABLE;
  for (const auto& piece : containment.pieces()) {
    if (!piece.given) log_line("reduced containment: no " + piece.name + ": " + piece.why);
  }
  EventLoop loop;
  Server server(loop, containment, options);
  host::notify_service_manager("READY=1");
  unsetenv("NOTIFY_SOCKET");  // no job is to speak for this program
  loop.run();
}

int run(int argc, char** argv) {
  try {
    const Options options = parse_options(argc, argv);
    if (options.help) return std::fputs(usage().c_str(), stdout) < 0 ? EX_IOERR : 0;
    if (options.version) return std::puts("pbotvm-guest " PBOTVM_VERSION) < 0 ? EX_IOERR : 0;
    fill_standard_descriptors();
    settle_signals();
    return serve(options);
  } catch (const UsageError& error) {
    log_line(error.what());
    return EX_USAGE;
  } catch (const std::exception& error) {
    log_line(error.what());
    return EX_UNAVAILABLE;
  }
}

}  // namespace
}  // namespace pbotvm::guest

int main(int argc, char** argv) {
  return pbotvm::guest::run(argc, argv);
}

// SPDX-License-Identifier: MIT
#include <Poco/Util/OptionException.h>
#include <malloc.h>
#include <signal.h>

#include <iostream>

#include "config/error_line.h"
#include "host/host_application.h"

namespace {

// Clients' lines and replies are up to some MiB long, and each client has a thread: left alone, the C library keeps
// what was freed in a heap for every few threads, and large pieces, too, once one was freed. They go back to the
// system.
void give_memory_back() {
  constexpr int heaps = 2;
  constexpr int large = 128 * 1024;  // bytes
  mallopt(M_ARENA_MAX, heaps);
  mallopt(M_MMAP_THRESHOLD, large);
  mallopt(M_TRIM_THRESHOLD, large);
}

}  // namespace

int main(int argc, char** argv) {
  give_memory_back();
  // Blocked before the first thread exists, so that every thread inherits it and only the waiting one is told to end,
  // or to read the languages anew.
  sigset_t ending;
  sigemptyset(&ending);
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM}) sigaddset(&ending, number);
  sigprocmask(SIG_BLOCK, &ending, nullptr);
  signal(SIGPIPE, SIG_IGN);

  pbotvm::host::HostApplication application;
  try {
    application.init(argc, argv);
  } catch (const Poco::Exception& e) {
    std::cerr << "pbotvm-host: " << pbotvm::error_line(e.displayText()) << "; see pbotvm-host --help\n";
    return Poco::Util::Application::EXIT_USAGE;
  }
  return application.run();
}

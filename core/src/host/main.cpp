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

// The daemon's signals: blocked before the first thread exists, so that every thread inherits it and only the waiting
// one is told to end, or to read the languages anew. Not instrumented: a sanitizer may set itself up later.
[[gnu::no_sanitize("address", "thread", "undefined")]] void block_signals() {
  sigset_t daemons;
  sigemptyset(&daemons);
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM}) sigaddset(&daemons, number);
  sigprocmask(SIG_BLOCK, &daemons, nullptr);
}

// Before the libraries set themselves up, which takes longer than main() does to get here: a SIGHUP of these
// milliseconds waits for the host instead of ending it. DT_PREINIT_ARRAY in elf(5)'s terms.
[[gnu::section(".preinit_array"), gnu::used]] void (*first)() = block_signals;

}  // namespace

int main(int argc, char** argv) {
  give_memory_back();
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

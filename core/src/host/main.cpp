// SPDX-License-Identifier: MIT
#include <Poco/Util/OptionException.h>
#include <signal.h>

#include <iostream>

#include "host/host_application.h"

int main(int argc, char** argv) {
  // Blocked before the first thread exists, so that every thread inherits it and only the waiting one is told to end.
  sigset_t ending;
  sigemptyset(&ending);
  for (const int number : {SIGINT, SIGQUIT, SIGTERM}) sigaddset(&ending, number);
  sigprocmask(SIG_BLOCK, &ending, nullptr);
  signal(SIGPIPE, SIG_IGN);

  pbotvm::host::HostApplication application;
  try {
    application.init(argc, argv);
  } catch (const Poco::Exception& e) {
    std::cerr << "pbotvm-host: " << e.displayText() << "; see pbotvm-host --help\n";
    return Poco::Util::Application::EXIT_USAGE;
  }
  return application.run();
}

// SPDX-License-Identifier: MIT
#include "cli/client_command.h"

#include <unistd.h>

#include <iostream>

#include "cli/vm_client.h"

namespace pbotvm::cli {

namespace {

constexpr std::size_t max_input = 4 << 20;  // bytes read from standard input; a host takes a line of 1 MiB

// All of standard input, without the end of its last line.
std::string read_input() {
  std::string text;
  char bytes[65536];
  for (ssize_t size; text.size() < max_input && (size = ::read(STDIN_FILENO, bytes, sizeof bytes)) > 0;)
    text.append(bytes, static_cast<std::size_t>(size));
  text.erase(text.find_last_not_of("\r\n") + 1);
  return text;
}

}  // namespace

std::string requested_line(const Words& arguments) {
  if (!arguments.empty()) return client_line(arguments);
  const std::string text = ::isatty(STDIN_FILENO) != 0 ? std::string() : read_input();
  if (text.empty()) throw UsageError("there is no code to run");
  return client_line(text, true);
}

int run_client(const Invocation& invocation) {
  const std::string line = requested_line(invocation.words);
  const auto configuration = load_configuration(invocation.file);
  return send_line(configuration.address, configuration.server, line, std::cout);
}

}  // namespace pbotvm::cli

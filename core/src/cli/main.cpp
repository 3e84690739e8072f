// SPDX-License-Identifier: MIT

// The program `pbotvm`, also under the names of the original's programs. It is small, because a bot starts vm-client
// for every request: what needs plug-ins or more libraries is in pbotvm-tool, which it becomes.

#include <sysexits.h>

#include <algorithm>
#include <array>
#include <iostream>

#include "cli/client_command.h"
#include "cli/command.h"
#include "cli/control_commands.h"
#include "pbotvm/abi.h"

namespace {

using pbotvm::cli::Command;
using pbotvm::cli::Words;

constexpr char usage[] =
    "usage: pbotvm run [-lang=LANGUAGE] [-vm=MACHINE] [OPTION...] CODE   run code, as vm-client does\n"
    "       pbotvm [--config FILE] status [--json]                       the host and its machines\n"
    "       pbotvm [--config FILE] revert MACHINE                        take a machine back to its snapshot\n"
    "       pbotvm [--config FILE] health MACHINE                        ask a machine how it is\n"
    "       pbotvm [--config FILE] exec [-lang=LANGUAGE] ... CODE        run code in a guest that no host serves\n"
    "       pbotvm [--config FILE] doctor [--json]                       what this system has and lacks\n"
    "       pbotvm [--config FILE] devices COMMAND [MACHINE]             give a libvirt domain its lines; see --help\n"
    "       pbotvm [--config FILE] image COMMAND ...                     disk images in layers; see --help\n"
    "       pbotvm [--config FILE] language COMMAND ...                  try a language's definition; see --help\n"
    "       pbotvm [--config FILE] languages [LANGUAGE...]               languages, their packages; see --help\n"
    "       pbotvm [--config FILE] vm COMMAND [MACHINE]                  machines; see --help\n"
    "       pbotvm [--config FILE] snapshot COMMAND ...                  snapshots of a machine; see --help\n"
    "       pbotvm [--config FILE] warm [MACHINE]                        run every language once, before a snapshot\n"
    "       pbotvm plugin new KIND NAME                                  write the project of a new plug-in\n"
    "       pbotvm --help | COMMAND --help | --version\n"
    "`run` connects to PBOTVM_ADDR:PBOTVM_SERVER; status, revert and health use control.sock in PBOTVM_STATE.\n"
    "Exit status: 1 refused, or something failed; 64 wrong usage, 69 nobody there, 77 not allowed, 78 wrong "
    "configuration.\n";

constexpr Command commands[] = {
    {"run", pbotvm::cli::client_usage, pbotvm::cli::run_client, true},
    {"client", pbotvm::cli::client_usage, pbotvm::cli::run_client, true},
    {"status", "pbotvm [--config FILE] status [--json]\n", pbotvm::cli::show_status},
    {"revert", "pbotvm [--config FILE] revert MACHINE\n", pbotvm::cli::revert_machine},
    {"health", "pbotvm [--config FILE] health MACHINE\n", pbotvm::cli::show_health},
};

constexpr std::array tool_commands = {"exec",      "doctor", "devices",  "image", "language",
                                      "languages", "plugin", "snapshot", "vm",    "warm"};

// The original's names, and what they are here.
struct Name {
  std::string_view name;
  Words words;
};

const std::array<Name, 4>& names() {
  // As with the original's, vm-client --help runs code.
  static const std::array<Name, 4> known = {{{"vm-client", {"run", std::string(pbotvm::cli::end_of_options)}},
                                             {"vm-exec", {"exec", std::string(pbotvm::cli::end_of_options)}},
                                             {"add-serials", {"devices", "add-serials"}},
                                             {"add-vsock", {"devices", "add-vsock"}}}};
  return known;
}

std::optional<int> become_tool(const Words& all, const std::string& command) {
  if (std::ranges::find(tool_commands, command) == tool_commands.end()) return std::nullopt;
  pbotvm::cli::become_program("pbotvm-tool", all);
}

int run(const std::string& name, Words words) {
  if (name == "vm-server") pbotvm::cli::become_program("pbotvm-host", words);
  const auto known = std::ranges::find(names(), name, &Name::name);
  if (known != names().end()) words.insert(words.begin(), known->words.begin(), known->words.end());
  if (known == names().end() && words == Words{"--version"}) {
    std::cout << "pbotvm " PBOTVM_VERSION "\n";
    return 0;
  }
  return pbotvm::cli::run_command(commands, std::move(words), usage, become_tool);
}

}  // namespace

int main(int argc, char** argv) {
  return pbotvm::cli::guarded_main([&] {
    const std::filesystem::path name = argc > 0 ? argv[0] : "pbotvm";
    return run(name.filename(), Words(argv + (argc > 0 ? 1 : 0), argv + argc));
  });
}

// SPDX-License-Identifier: MIT

// One program: `vm-client ARGUMENTS...` under that name, else `pbotvm COMMAND ...`.

#include <sysexits.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/control_client.h"
#include "cli/vm_client.h"
#include "config/configuration.h"
#include "pbotvm/abi.h"
#include "pbotvm/error.h"

namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using Words = std::vector<std::string>;

constexpr int not_served = 1;               // the host said no
constexpr auto status_patience = 10s;       // a host answers this from memory
constexpr auto machine_patience = 180s;     // a revert may have to wait for jobs, and to restart the machine
constexpr std::size_t max_input = 4 << 20;  // bytes read from standard input; a host takes a line of 1 MiB

constexpr char usage[] =
    "usage: pbotvm run [-lang=LANGUAGE] [-vm=MACHINE] [OPTION...] CODE   run code, as vm-client does\n"
    "       pbotvm [--config FILE] status [--json]                       the host and its machines\n"
    "       pbotvm [--config FILE] revert MACHINE                        take a machine back to its snapshot\n"
    "       pbotvm [--config FILE] health MACHINE                        ask a machine how it is\n"
    "       pbotvm --help | --version\n"
    "`run` connects to PBOTVM_ADDR:PBOTVM_SERVER, the others use control.sock in PBOTVM_STATE.\n"
    "Exit status: 1 the host refused, 64 wrong usage, 69 no host, 77 not allowed, 78 wrong configuration.\n";

constexpr char client_usage[] =
    "usage: vm-client [-lang=LANGUAGE] [-vm=MACHINE] [OPTION...] CODE\n"
    "       vm-client < FILE\n"
    "Sends the arguments, joined with spaces, to PBOTVM_ADDR:PBOTVM_SERVER and prints the reply.\n";

pbotvm::config::Configuration load_configuration(const std::optional<std::filesystem::path>& file) {
  pbotvm::config::Sources sources;
  sources.file = file;
  sources.environment = pbotvm::config::process_environment();
  sources.install_prefix = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path();
  return pbotvm::config::load(sources);
}

// All of standard input, without the end of its last line.
std::string read_input() {
  std::string text;
  char bytes[65536];
  for (ssize_t size; text.size() < max_input && (size = ::read(STDIN_FILENO, bytes, sizeof bytes)) > 0;)
    text.append(bytes, static_cast<std::size_t>(size));
  text.erase(text.find_last_not_of("\r\n") + 1);
  return text;
}

int run_client(const Words& arguments) {
  std::string line;
  if (!arguments.empty()) {
    line = pbotvm::cli::client_line(arguments);
  } else {
    const std::string text = ::isatty(STDIN_FILENO) != 0 ? std::string() : read_input();
    if (text.empty()) {
      std::cerr << client_usage;
      return EX_USAGE;
    }
    line = pbotvm::cli::client_line(text, true);
  }
  const auto configuration = load_configuration({});
  return pbotvm::cli::send_line(configuration.address, configuration.server, line, std::cout);
}

int wrong_usage(const std::string& problem) {
  std::cerr << "pbotvm: " << problem << '\n' << usage;
  return EX_USAGE;
}

// What the host answered, or nothing after its refusal was printed.
std::optional<json> ask(const std::optional<std::filesystem::path>& file, const json& command,
                        std::chrono::milliseconds patience) {
  const json answer = pbotvm::cli::ask_host(load_configuration(file).state, command, patience);
  if (answer.value("ok", false)) return answer;
  std::cerr << "pbotvm: " << answer.value("error", std::string("the host refused and did not say why")) << '\n';
  return std::nullopt;
}

int status(const std::optional<std::filesystem::path>& file, bool as_json) {
  const auto answer = ask(file, {{"command", "status"}}, status_patience);
  if (!answer) return not_served;
  std::cout << (as_json ? answer->dump(2) + '\n' : pbotvm::cli::status_text(*answer));
  return 0;
}

// A figure of an answer; "unknown" where the host does not know it.
std::string figure(const json& answer, const char* key, const char* unit) {
  const auto found = answer.find(key);
  if (found == answer.end() || !found->is_number()) return "unknown";
  char text[64];
  const double value = found->get<double>();
  std::snprintf(text, sizeof text, "%.3g %s", value < 0.001 ? 0.0 : value, unit);  // not 1.85e-05
  return text;
}

int revert(const std::optional<std::filesystem::path>& file, const std::string& machine) {
  const auto answer = ask(file, {{"command", "revert"}, {"machine", machine}}, machine_patience);
  if (!answer) return not_served;
  std::cout << machine << ": " << answer->value("state", "unknown") << " after " << figure(*answer, "seconds", "s")
            << '\n';
  return 0;
}

int health(const std::optional<std::filesystem::path>& file, const std::string& machine) {
  const auto answer = ask(file, {{"command", "health"}, {"machine", machine}}, machine_patience);
  if (!answer) return not_served;
  std::string figures = answer->value("figures", "");
  if (!figures.empty() && figures.back() != '\n') figures += '\n';
  std::cout << figures << "last heartbeat: " << figure(*answer, "heartbeat_age_s", "s ago")
            << ", round trip: " << figure(*answer, "round_trip_ms", "ms") << '\n';
  return 0;
}

int run_command(Words words) {
  std::optional<std::filesystem::path> file;
  if (words.size() >= 2 && words[0] == "--config") {
    file = words[1];
    words.erase(words.begin(), words.begin() + 2);
  }
  if (words.empty()) return wrong_usage("a command is missing");
  const std::string command = words[0];
  if (command == "--help" || command == "-h") {
    std::cout << usage;
    return 0;
  }
  if (command == "--version") {
    std::cout << "pbotvm " PBOTVM_VERSION "\n";
    return 0;
  }
  if (command == "status") {
    const bool as_json = words.size() == 2 && words[1] == "--json";
    return words.size() == 1 || as_json ? status(file, as_json) : wrong_usage("status takes --json and nothing else");
  }
  if (command == "revert" || command == "health") {
    if (words.size() != 2) return wrong_usage(command + " takes the name of one machine");
    return command == "revert" ? revert(file, words[1]) : health(file, words[1]);
  }
  return wrong_usage("'" + command + "' is no command");
}

int run(const char* name, const Words& words) {
  if (std::filesystem::path(name).filename() == "vm-client") return run_client(words);
  if (!words.empty() && (words[0] == "run" || words[0] == "client"))
    return run_client({words.begin() + 1, words.end()});
  return run_command(words);
}

int exit_status(pbotvm::ErrorCode code) {
  switch (code) {
    case pbotvm::ErrorCode::configuration:
      return EX_CONFIG;
    case pbotvm::ErrorCode::refused:
      return EX_NOPERM;
    case pbotvm::ErrorCode::unavailable:
    case pbotvm::ErrorCode::timed_out:
      return EX_UNAVAILABLE;
    case pbotvm::ErrorCode::protocol:
      return EX_PROTOCOL;
    case pbotvm::ErrorCode::plugin:
    case pbotvm::ErrorCode::internal:
      break;
  }
  return EX_SOFTWARE;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 0 ? argv[0] : "pbotvm", Words(argv + (argc > 0 ? 1 : 0), argv + argc));
  } catch (const pbotvm::ConfigurationError& error) {
    std::cerr << error.what() << '\n';  // names its place first
    return EX_CONFIG;
  } catch (const pbotvm::Error& error) {
    std::cerr << "pbotvm: " << error.what() << '\n';
    return exit_status(error.code());
  } catch (const std::exception& error) {
    std::cerr << "pbotvm: " << error.what() << '\n';
    return EX_SOFTWARE;
  }
}

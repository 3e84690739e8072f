// SPDX-License-Identifier: MIT
#include "cli/control_commands.h"

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/control_client.h"

namespace pbotvm::cli {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr int not_served = 1;            // the host said no
constexpr auto status_patience = 10s;    // a host answers this from memory
constexpr auto machine_patience = 180s;  // a revert may have to wait for jobs, and to restart the machine

// What the host answered, or nothing after its refusal was printed.
std::optional<json> ask(const Invocation& invocation, const json& command, std::chrono::milliseconds patience) {
  const json answer = ask_host(load_configuration(invocation.file).state, command, patience);
  if (answer.value("ok", false)) return answer;
  std::cerr << "pbotvm: " << refusal_of(answer) << '\n';
  return std::nullopt;
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

std::string only_machine(const Invocation& invocation) {
  const Options options(invocation.words, {}, 1);
  if (options.operand(0).empty()) throw UsageError("the name of a machine is missing");
  return options.operand(0);
}

}  // namespace

int show_status(const Invocation& invocation) {
  const Options options(invocation.words, {"--json"}, 0);
  const auto answer = ask(invocation, {{"command", "status"}}, status_patience);
  if (!answer) return not_served;
  std::cout << (options.has("--json") ? answer->dump(2) + '\n' : status_text(*answer));
  return 0;
}

int revert_machine(const Invocation& invocation) {
  const std::string machine = only_machine(invocation);
  const auto answer = ask(invocation, {{"command", "revert"}, {"machine", machine}}, machine_patience);
  if (!answer) return not_served;
  std::cout << machine << ": " << answer->value("state", "unknown") << " after " << figure(*answer, "seconds", "s")
            << '\n';
  return 0;
}

int show_health(const Invocation& invocation) {
  const std::string machine = only_machine(invocation);
  const auto answer = ask(invocation, {{"command", "health"}, {"machine", machine}}, machine_patience);
  if (!answer) return not_served;
  std::string figures = answer->value("figures", "");
  if (!figures.empty() && figures.back() != '\n') figures += '\n';
  std::cout << figures << "last heartbeat: " << figure(*answer, "heartbeat_age_s", "s ago")
            << ", round trip: " << figure(*answer, "round_trip_ms", "ms") << '\n';
  return 0;
}

}  // namespace pbotvm::cli

// SPDX-License-Identifier: MIT
#include "cli/doctor/doctor_command.h"

#include <algorithm>
#include <future>
#include <iostream>

#include "cli/control_client.h"
#include "cli/doctor/check.h"
#include "pbotvm/error.h"

namespace pbotvm::cli {

namespace {

using namespace std::chrono_literals;
using namespace doctor;

constexpr auto host_patience = 300ms;  // it answers from memory

// A running host's status; null where none runs, or none that answers this user.
nlohmann::json running_host(const config::Configuration& configuration) {
  const auto here = std::filesystem::current_path();
  nlohmann::json status;
  try {
    status = ask_host(configuration.state, {{"command", "status"}}, host_patience);
  } catch (const Error&) {
    status = nullptr;
  }
  std::filesystem::current_path(here);
  return status;
}

Findings look(const config::Configuration& configuration) {
  const System system = this_system();
  const auto host = running_host(configuration);
  auto programs = std::async(std::launch::async, [&] { return check_programs(configuration); });
  auto snapshots = std::async(std::launch::async, [&] { return check_snapshots(configuration); });
  Findings findings = {check_processor(system), check_kvm(system, configuration)};
  const auto add = [&findings](Findings more) { std::ranges::move(more, std::back_inserter(findings)); };
  add(check_modules(system, configuration));
  add({check_vsock(system, configuration)});
  auto plugins = check_plugins(configuration);
  add(programs.get());
  add(check_groups(system, configuration));
  add({check_host(configuration, host)});
  add(check_ports(configuration, host));
  add(check_images(configuration));
  add(snapshots.get());
  add({check_space(configuration)});
  add(std::move(plugins));
  return findings;
}

}  // namespace

int run_doctor(const Invocation& invocation) {
  const Options options(invocation.words, {"--json"}, 0);
  const auto findings = look(load_configuration(invocation.file));
  if (options.has("--json")) {
    nlohmann::json all = nlohmann::json::array();
    for (const auto& finding : findings) all.push_back(finding_json(finding));
    std::cout << all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  } else {
    for (const auto& finding : findings) std::cout << finding_text(finding) << '\n';
  }
  const bool failed =
      std::ranges::any_of(findings, [](const Finding& finding) { return finding.state == Finding::State::fail; });
  return failed ? 1 : 0;
}

}  // namespace pbotvm::cli

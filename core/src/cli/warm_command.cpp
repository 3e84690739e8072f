// SPDX-License-Identifier: MIT
#include "cli/warm_command.h"

#include <sysexits.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/control_client.h"
#include "cli/found_machine.h"
#include "pbotvm/error.h"
#include "plugin/patient_guard.h"
#include "service/assembly.h"
#include "service/service.h"

namespace pbotvm::cli {

namespace {

using namespace std::chrono_literals;

constexpr auto first_run = 120s;  // of a compiler that is not in memory, in an emulated machine

// How one language fared, in one line.
class Fared : public service::Audience {
 public:
  bool wants_progress() const override { return false; }
  void take(const service::Event& event) override {
    if (const auto* reply = service::reply_text_of(event)) text = reply->substr(0, reply->find('\n'));
    if (const auto* failed = std::get_if<service::Failed>(&event)) code = failed->code;
  }
  std::string text, code;
};

std::string seconds(std::chrono::duration<double> duration) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", duration.count());
  return text;
}

int warm(const config::Configuration& configuration, const config::MachineConfiguration& machine) {
  show_warnings();
  const plugin::Registry plugins(configuration.plugins);
  plugin::PatientGuard guard;
  const auto catalogue = service::make_catalogue(plugins, configuration);
  std::vector<std::unique_ptr<machine::Machine>> machines;
  machines.push_back(found_machine(plugins, machine, catalogue.tools()));
  service::Service service(configuration, catalogue, machines, guard);
  machines.front()->start();
  for (const auto& entry : catalogue.entries()) {
    service::ClientRequest request;
    request.language = entry.names.front();
    request.machine = machine.settings.name;
    request.code = guard.call({"language", entry.plugin, "hello"},
                              [language = entry.language.get()] { return language->hello(); });
    const auto begun = Deadline::Clock::now();
    Fared fared;
    service::RequestControl control;
    service.run(request, fared, control);
    if (fared.code == "unavailable") {
      std::cerr << "pbotvm: " << fared.text << '\n';
      return EX_UNAVAILABLE;
    }
    std::cout << request.language << ": " << seconds(Deadline::Clock::now() - begun) << ": " << fared.text << std::endl;
  }
  machines.front()->shut_down();
  return 0;
}

}  // namespace

int run_warm(const Invocation& invocation) {
  const Options options(invocation.words, {}, 1);
  auto configuration = load_configuration(invocation.file);
  configuration.timeout = first_run;
  const auto& machine = machine_of(configuration, options.operand(0));
  if (!holding_host(configuration.state, machine.settings.name).is_null())
    throw Error(ErrorCode::refused, "machine '" + machine.settings.name + "' is held by pbotvm-host",
                "nothing is to be done: it runs every language once before it takes the snapshot");
  return warm(configuration, machine);
}

}  // namespace pbotvm::cli

// SPDX-License-Identifier: MIT
#include "cli/warm_command.h"

#include <sysexits.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/control_client.h"
#include "cli/direct_service.h"
#include "config/error_line.h"
#include "pbotvm/error.h"

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
  DirectService service(configuration, machine);
  std::string lacking;
  for (const auto& entry : service.catalogue().entries()) {
    service::ClientRequest request;
    request.language = entry.names.front();
    request.machine = machine.settings.name;
    request.code = service.hello_of(entry);
    const auto begun = Deadline::Clock::now();
    Fared fared;
    service.run(request, fared);
    if (fared.code == "unavailable") {
      std::cerr << "pbotvm: " << error_line(fared.text) << '\n';
      tell_who_starts(machine);
      return EX_UNAVAILABLE;
    }
    if (fared.code == "missing-tools") {
      lacking += (lacking.empty() ? "" : ", ") + request.language;
      continue;
    }
    std::cout << request.language << ": " << seconds(Deadline::Clock::now() - begun) << ": " << fared.text << std::endl;
  }
  if (!lacking.empty()) std::cout << "not in the guest: " << lacking << std::endl;
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
                machine.hypervisor.plugin == "qemu"
                    ? "nothing is to be done: it runs every language once before it takes the snapshot"
                    : "end that host first");
  return warm(configuration, machine);
}

}  // namespace pbotvm::cli

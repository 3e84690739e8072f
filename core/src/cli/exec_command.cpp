// SPDX-License-Identifier: MIT
#include "cli/exec_command.h"

#include <sysexits.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/client_command.h"
#include "cli/control_client.h"
#include "cli/found_machine.h"
#include "cli/vm_client.h"
#include "pbotvm/error.h"
#include "plugin/patient_guard.h"
#include "plugin/registry.h"
#include "service/assembly.h"
#include "service/service.h"

namespace pbotvm::cli {

namespace {

using nlohmann::json;

constexpr int not_served = 1;

service::ClientRequest read_request(std::string line) {
  line.erase(line.find_last_not_of('\n') + 1);
  return service::parse_client_line(line);
}

void check_without_host(const service::ClientRequest& request) {
  if (request.reply != service::ReplyForm::text)
    throw service::RequestError("\"reply\":\"json\" needs a host; start pbotvm-host and use vm-client");
  if (!request.persist_key.empty())
    throw service::RequestError(
        "\"persist-key\" needs a host, which keeps the files; start pbotvm-host and use vm-client");
}

int go_through(const json& host, const std::string& machine, const std::string& line) {
  const std::string address = host.value("address", "");
  const auto colon = address.rfind(':');
  if (colon == std::string::npos) throw Error(ErrorCode::protocol, "the host did not say where it serves clients");
  std::cerr << "pbotvm: pbotvm-host, process " << host.value("pid", json()).dump() << ", holds machine '" << machine
            << "': going through it at " << address << std::endl;
  const int port = std::stoi(address.substr(colon + 1));
  return send_line(address.substr(0, colon), static_cast<std::uint16_t>(port), line, std::cout);
}

// Prints what becomes of the request.
class Printer : public service::Audience {
 public:
  bool wants_progress() const override { return false; }
  void take(const service::Event& event) override {
    if (const auto* ended = std::get_if<service::Ended>(&event)) std::cout << ended->reply << std::endl;
    if (const auto* failed = std::get_if<service::Failed>(&event)) {
      std::cerr << "pbotvm: " << failed->reply << std::endl;
      status_ = failed->code == "unavailable" ? EX_UNAVAILABLE : not_served;
    }
  }
  int status() const { return status_; }

 private:
  int status_ = 0;
};

int run_directly(const config::Configuration& configuration, const config::MachineConfiguration& machine,
                 const service::ClientRequest& request) {
  show_warnings();
  const plugin::Registry plugins(configuration.plugins);
  plugin::PatientGuard guard;
  const auto catalogue = service::make_catalogue(plugins, configuration);
  std::vector<std::unique_ptr<machine::Machine>> machines;
  machines.push_back(found_machine(plugins, machine, catalogue.tools()));
  service::Service service(configuration, catalogue, machines, guard);
  machines.front()->start();
  Printer printer;
  service::RequestControl control;
  service.run(request, printer, control);
  machines.front()->shut_down();
  if (printer.status() == EX_UNAVAILABLE && machine.hypervisor.plugin == "qemu")
    std::cerr << "pbotvm: no pbotvm-host runs, which starts machines of the hypervisor qemu\n";
  return printer.status();
}

}  // namespace

int run_exec(const Invocation& invocation) {
  const std::string line = requested_line(invocation.words);
  const auto configuration = load_configuration(invocation.file);
  try {
    const auto request = read_request(line);
    const auto& machine = machine_of(configuration, request.machine);
    const std::string& name = machine.settings.name;
    if (const json host = holding_host(configuration.state, name); !host.is_null()) return go_through(host, name, line);
    check_without_host(request);
    return run_directly(configuration, machine, request);
  } catch (const service::RequestError& e) {
    std::cerr << "pbotvm: " << e.what() << '\n';
    return not_served;
  }
}

}  // namespace pbotvm::cli

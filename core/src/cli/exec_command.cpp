// SPDX-License-Identifier: MIT
#include "cli/exec_command.h"

#include <sysexits.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/client_command.h"
#include "cli/control_client.h"
#include "cli/direct_service.h"
#include "cli/vm_client.h"
#include "config/error_line.h"
#include "pbotvm/error.h"
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
      std::cerr << "pbotvm: " << error_line(failed->reply) << std::endl;
      status_ = failed->code == "unavailable" ? EX_UNAVAILABLE : not_served;
    }
  }
  int status() const { return status_; }

 private:
  int status_ = 0;
};

int run_directly(const config::Configuration& configuration, const config::MachineConfiguration& machine,
                 const service::ClientRequest& request) {
  Printer printer;
  DirectService(configuration, machine).run(request, printer);
  if (printer.status() == EX_UNAVAILABLE) tell_who_starts(machine);
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
    std::cerr << "pbotvm: " << error_line(e.what()) << '\n';
    return not_served;
  }
}

}  // namespace pbotvm::cli

// SPDX-License-Identifier: MIT
#include "cli/vm_left.h"

#include <chrono>

#include "pbotvm/endpoint.h"
#include "pbotvm/error.h"
#include "qmp/qmp.h"

namespace pbotvm::cli {

namespace {

using namespace std::chrono_literals;

constexpr auto qemu_patience = 10s;  // it answers from its main loop
constexpr auto end_grace = 3s;       // between SIGTERM and SIGKILL
constexpr const char* operators_socket = "qmp.sock";

}  // namespace

std::optional<LeftMachine> LeftMachine::find(const config::Configuration& configuration,
                                             const config::MachineConfiguration& machine) {
  if (machine.hypervisor.plugin != "qemu") return std::nullopt;
  const auto directory = configuration.state / machine.settings.directory;
  const auto left = qmp::read_left_qemu(directory / qmp::left_qemu_file);
  if (!left) return std::nullopt;
  UniqueFd process = qmp::open_left_qemu(*left);
  if (!process) return std::nullopt;
  return LeftMachine(directory, *left, std::move(process));
}

void LeftMachine::ask_to_stop() const {
  // By its short name: a socket's path has room for 107 bytes only.
  std::filesystem::current_path(directory_);
  const auto deadline = Deadline::in(qemu_patience);
  qmp::QmpClient client(connect_endpoint(Endpoint::unix_socket(operators_socket), deadline), process_.get(), deadline);
  if (!qmp::has_identity(client, identity_, deadline))
    throw Error(ErrorCode::protocol, "what answers on " + (directory_ / operators_socket).string() +
                                         " is not process " + std::to_string(pid_));
  client.execute("system_powerdown", nlohmann::json::object(), deadline);
}

void LeftMachine::end() const {
  if (qmp::end_process(process_, end_grace, Deadline::in(qemu_patience))) return;
  throw Error(ErrorCode::refused, "QEMU, process " + std::to_string(pid_) + ", did not end",
              "end it as root, or as the user whose process it is");
}

}  // namespace pbotvm::cli

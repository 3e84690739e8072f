// SPDX-License-Identifier: MIT

// Ports of the host and of its machines. They are tried by listening for a moment, never by connecting: a machine's
// line has room for one client, who would be taken for the host.

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "cli/doctor/check.h"
#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::cli::doctor {

namespace {

using State = Finding::State;

// 0 where a program could listen there, else why not.
int listen_for_a_moment(const std::string& address, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* list = nullptr;
  if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &list) != 0) return EADDRNOTAVAIL;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  const UniqueFd socket(::socket(list->ai_family, list->ai_socktype | SOCK_CLOEXEC, list->ai_protocol));
  const int yes = 1;
  if (!socket || ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
      ::bind(socket.get(), list->ai_addr, list->ai_addrlen) != 0 || ::listen(socket.get(), 1) != 0)
    return errno;
  return 0;
}

bool runs_under(const nlohmann::json& host, const std::string& machine) {
  if (!host.is_object() || !host.contains("machines")) return false;
  return std::ranges::any_of(host["machines"], [&](const auto& one) { return one.value("name", "") == machine; });
}

std::string who(std::uint16_t port) {
  return "see who: ss -ltnp 'sport = :" + std::to_string(port) + "'";
}

Finding check_line(const std::string& name, const Endpoint& line, const char* variable,
                   const config::MachineConfiguration& machine, const nlohmann::json& host) {
  const std::string check = "port of " + machine.settings.name + ", " + name, port = line.text();
  const int error = listen_for_a_moment(line.address, line.port);
  const bool ours = machine.hypervisor.plugin == "qemu";  // the host listens there when it starts the machine
  if (error == EADDRINUSE) {
    if (runs_under(host, machine.settings.name))
      return {State::ok, check, port + " is held by the running host's machine"};
    if (!ours) return {State::ok, check, "somebody listens on " + port + ", as the machine does when it runs"};
    return {State::fail, check, port + " is taken by another program",
            who(line.port) + "; or choose another with " + variable};
  }
  if (error != 0) return {State::fail, check, errno_text(port, error), std::string("choose another with ") + variable};
  if (ours) return {State::ok, check, port + " is free"};
  return {State::warn, check, "nobody listens on " + port + ": the machine does not run, or has no such line",
          "start it; pbotvm devices add-serials gives a libvirt domain its lines"};
}

}  // namespace

Finding check_host(const config::Configuration& configuration, const nlohmann::json& host) {
  const std::string check = "port of pbotvm-host",
                    place = configuration.address + ":" + std::to_string(configuration.server);
  const int error = listen_for_a_moment(configuration.address, configuration.server);
  if (error == 0) return {State::ok, check, place + " is free; no host runs there"};
  if (error == EADDRINUSE && host.is_object() && host.value("address", "") == place)
    return {State::ok, check,
            place + " is held by the running host, process " + host.value("pid", nlohmann::json()).dump()};
  if (error == EADDRINUSE)
    return {State::fail, check, place + " is taken by another program, or by a host with another STATE",
            who(configuration.server) + "; or choose another with PBOTVM_SERVER"};
  return {State::fail, check, errno_text(place, error), "choose another with PBOTVM_ADDR and PBOTVM_SERVER"};
}

Findings check_ports(const config::Configuration& configuration, const nlohmann::json& host) {
  Findings findings;
  for (const auto& machine : configuration.machines) {
    const auto& settings = machine.settings;
    const auto look = [&](const char* name, const Endpoint& line, const char* variable) {
      if (line.kind == Endpoint::Kind::tcp) findings.push_back(check_line(name, line, variable, machine, host));
    };
    look("data line", settings.serial, "PBOTVM_SERIAL");
    look("heartbeat line", settings.heart, "PBOTVM_HEART");
    look("virtio-serial", settings.virtio_serial, "PBOTVM_VIRTIO_SERIAL");
  }
  return findings;
}

}  // namespace pbotvm::cli::doctor

// SPDX-License-Identifier: MIT
#include "line_claims.h"

#include <filesystem>
#include <optional>

#include "pbotvm/settings.h"

namespace pbotvm::qemu {
namespace {

bool everywhere(const Endpoint& endpoint) {
  return endpoint.address == "0.0.0.0" || endpoint.address == "::";
}

bool collide(const Endpoint& a, const Endpoint& b) {
  if (a.kind != b.kind || a.kind == Endpoint::Kind::none) return false;
  if (a.kind == Endpoint::Kind::unix_socket)
    return std::filesystem::path(a.path).lexically_normal() == std::filesystem::path(b.path).lexically_normal();
  return a.port == b.port && (a.address == b.address || everywhere(a) || everywhere(b));
}

/// Where "tcp:127.0.0.1:2222-:22" listens on the host.
std::optional<Endpoint> listener_of(const std::string& forward) {
  const std::string protocol = "tcp:";
  const std::size_t end = forward.find('-');
  if (!forward.starts_with(protocol) || end == std::string::npos) return std::nullopt;
  try {
    return Endpoint::parse(forward.substr(protocol.size(), end - protocol.size()));
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

void LineClaims::claim(const MachineSettings& machine, const QemuSettings& settings) {
  std::erase_if(claims_, [&machine](const Claim& claim) { return claim.machine == machine.name; });
  add({machine.name, "serial", machine.serial, true});
  add({machine.name, "heart", machine.heart, true});
  add({machine.name, "virtio_serial", machine.virtio_serial, true});
  for (const Endpoint& endpoint : settings.serials) add({machine.name, "hypervisor.serials", endpoint, false});
  const Display& display = settings.display;
  if (display.port != 0)
    add({machine.name, "hypervisor.display", Endpoint::tcp("127.0.0.1", display.port), false});
  else if (!display.socket.empty())
    add({machine.name, "hypervisor.display", Endpoint::unix_socket(display.socket), false});
  for (const Nic& nic : settings.nics)
    for (const std::string& forward : nic.forwards)
      if (const auto endpoint = listener_of(forward)) add({machine.name, "hypervisor.nics", *endpoint, false});
}

void LineClaims::add(const Claim& claim) {
  for (const Claim& other : claims_) {
    if ((claim.compared && other.compared) || !collide(claim.endpoint, other.endpoint)) continue;
    throw ConfigurationError("machines." + claim.machine + "." + claim.key,
                             claim.endpoint.text() + " is taken by machines." + other.machine + "." + other.key +
                                 " already; give it another one");
  }
  claims_.push_back(claim);
}

}  // namespace pbotvm::qemu

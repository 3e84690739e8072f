// SPDX-License-Identifier: MIT
#include "machine/session_factory.h"

#include <chrono>

#include "machine/frame_session.h"
#include "machine/pbot_session.h"
#include "plugin/guard.h"

namespace pbotvm::machine {

namespace {

using namespace std::chrono_literals;

constexpr auto reconnect_time = 1s;  // for one request's stream, while the machine's thread waits

UniqueFd connect(const std::string& plugin, Transport& transport, const Deadline& deadline) {
  return plugin::guarded({"transport", plugin, "connect"}, [&] { return transport.connect(deadline); });
}

// The original's guest serves one request a connection there, and all requests on one stream elsewhere.
bool ends_with_its_request(const std::string& plugin) {
  return plugin == "vsock";
}

}  // namespace

std::unique_ptr<Session> open_session(config::Dialect dialect, const std::string& plugin, Transport& transport,
                                      const Deadline& deadline) {
  auto stream = connect(plugin, transport, deadline);
  auto description = transport.description();
  if (dialect == config::Dialect::frames) {
    return std::make_unique<FrameSession>(std::move(stream), std::move(description));
  }
  if (!ends_with_its_request(plugin)) return std::make_unique<PbotSession>(std::move(stream), std::move(description));
  return std::make_unique<PbotSession>(std::move(stream), std::move(description), [plugin, &transport] {
    return connect(plugin, transport, Deadline::in(reconnect_time));
  });
}

}  // namespace pbotvm::machine

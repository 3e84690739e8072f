// SPDX-License-Identifier: MIT
#include "cli/found_machine.h"

#include <Poco/AutoPtr.h>
#include <Poco/ConsoleChannel.h>
#include <Poco/FormattingChannel.h>
#include <Poco/Logger.h>
#include <Poco/PatternFormatter.h>

#include <iostream>
#include <utility>

#include "plugin/guard.h"
#include "service/assembly.h"

namespace pbotvm::cli {

namespace {

using namespace std::chrono_literals;

constexpr auto guest_patience = 60s;  // longer than a machine tries to find its guest

}  // namespace

void show_warnings() {
  Poco::AutoPtr<Poco::Formatter> formatter(new Poco::PatternFormatter("pbotvm: %t"));
  Poco::AutoPtr<Poco::Channel> console(new Poco::ConsoleChannel(std::cerr));
  Poco::AutoPtr<Poco::Channel> channel(new Poco::FormattingChannel(formatter, console));
  Poco::Logger::root().setChannel(channel);
  Poco::Logger::root().setLevel(Poco::Message::PRIO_WARNING);
}

std::unique_ptr<machine::Machine> found_machine(const plugin::Registry& plugins,
                                                config::MachineConfiguration configuration,
                                                std::vector<std::string> tools) {
  machine::Machine::Parts parts;
  parts.transports = service::make_transports(plugins, configuration);
  configuration.revert = config::RevertPolicy::never;
  configuration.hypervisor = {"none", Settings("pbotvm exec")};
  auto& factory = plugins.hypervisor("none");
  parts.hypervisor = plugin::guarded({"hypervisor", "none", "create"}, [&] {
    return factory.create(configuration.settings, configuration.hypervisor.settings);
  });
  machine::Machine::Options options;
  options.queue_timeout = guest_patience;
  options.tools = std::move(tools);
  return std::make_unique<machine::Machine>(std::move(configuration), std::move(parts), std::move(options));
}

}  // namespace pbotvm::cli

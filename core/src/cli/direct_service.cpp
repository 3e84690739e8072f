// SPDX-License-Identifier: MIT
#include "cli/direct_service.h"

#include <Poco/AutoPtr.h>
#include <Poco/ConsoleChannel.h>
#include <Poco/FormattingChannel.h>
#include <Poco/Logger.h>
#include <Poco/PatternFormatter.h>

#include <iostream>
#include <utility>

#include "plugin/guard.h"
#include "service/assembly.h"
#include "service/request_control.h"

namespace pbotvm::cli {

namespace {

using namespace std::chrono_literals;

constexpr auto guest_patience = 60s;  // longer than a machine tries to find its guest

void show_warnings() {
  Poco::AutoPtr<Poco::Formatter> formatter(new Poco::PatternFormatter("pbotvm: %t"));
  Poco::AutoPtr<Poco::Channel> console(new Poco::ConsoleChannel(std::cerr));
  Poco::AutoPtr<Poco::Channel> channel(new Poco::FormattingChannel(formatter, console));
  Poco::Logger::root().setChannel(channel);
  Poco::Logger::root().setLevel(Poco::Message::PRIO_WARNING);
}

// Somebody else started it, and it is left as it is found. `tools` is what the guest is asked for.
std::vector<std::unique_ptr<machine::Machine>> found_machine(const plugin::Registry& plugins,
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
  std::vector<std::unique_ptr<machine::Machine>> machines;
  machines.push_back(
      std::make_unique<machine::Machine>(std::move(configuration), std::move(parts), std::move(options)));
  return machines;
}

}  // namespace

DirectService::DirectService(const config::Configuration& configuration, const config::MachineConfiguration& machine)
    : plugins_((show_warnings(), configuration.plugins)),  // before there is anything to warn of
      catalogue_(service::make_catalogue(plugins_, configuration)),
      machines_(found_machine(plugins_, machine, catalogue_->tools())),
      service_(configuration, catalogue_, machines_, guard_, service::Keeping::nothing) {
  machines_.front()->start();
}

DirectService::~DirectService() {
  machines_.front()->shut_down();
}

std::string DirectService::hello_of(const service::CatalogueEntry& entry) {
  return guard_.call({"language", entry.plugin, "hello"}, [language = entry.language] { return language->hello(); });
}

void DirectService::run(const service::ClientRequest& request, service::Audience& audience) {
  service::RequestControl control;
  service_.run(request, audience, control);
}

void tell_who_starts(const config::MachineConfiguration& machine) {
  if (machine.hypervisor.plugin == "qemu")
    std::cerr << "pbotvm: no pbotvm-host runs, which starts machines of the hypervisor qemu\n";
}

}  // namespace pbotvm::cli

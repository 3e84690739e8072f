// SPDX-License-Identifier: MIT
#include "host/host_application.h"

#include <Poco/Logger.h>
#include <Poco/Util/HelpFormatter.h>
#include <Poco/Util/Option.h>
#include <Poco/Util/OptionCallback.h>
#include <Poco/Util/OptionException.h>
#include <Poco/Util/OptionSet.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <memory>
#include <thread>

#include "config/error_line.h"
#include "config/schema.h"
#include "host/configuration_check.h"
#include "host/control_server.h"
#include "host/definition_access.h"
#include "host/language_reload.h"
#include "host/line_server.h"
#include "host/log.h"
#include "host/privileges.h"
#include "host/service_notify.h"
#include "host/state_directory.h"
#include "machine/machine.h"
#include "pbotvm/abi.h"
#include "plugin/guard.h"
#include "plugin/patient_guard.h"
#include "plugin/registry.h"
#include "service/assembly.h"
#include "service/catalogue.h"
#include "service/catalogue_changes.h"
#include "service/service.h"
#include "service/warm_up.h"

namespace pbotvm::host {

namespace {

using namespace std::chrono_literals;
using Poco::Util::Option;
using Poco::Util::OptionCallback;
using service::look_up;
using service::make_catalogue;
using service::make_transports;

constexpr auto reply_time = 12s;  // for clients to take their replies once the machines have ended
constexpr auto reload_time = 5s;  // for a reload under way to come to its end after that

Poco::Logger& log() {
  return Poco::Logger::get("host");
}

std::filesystem::path install_prefix() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path();
}

std::unique_ptr<machine::Machine> make_machine(const plugin::Registry& plugins,
                                               const config::MachineConfiguration& configuration,
                                               const machine::Machine::Options& options) {
  const auto& settings = configuration.settings;
  machine::Machine::Parts parts;
  parts.transports = make_transports(plugins, configuration);
  if (settings.heart.kind != Endpoint::Kind::none) {
    const auto& choice = configuration.heartbeat;
    auto& factory =
        look_up(settings.name, "heartbeat", [&]() -> TransportFactory& { return plugins.transport(choice.plugin); });
    parts.heartbeat = plugin::guarded({"transport", choice.plugin, "create"},
                                      [&] { return factory.create(settings, choice.settings); });
  } else {
    log().warning("%s: it has no heartbeat line (heart: 0): a guest that falls silent is noticed by its next job only",
                  settings.name);
  }
  const auto& choice = configuration.hypervisor;
  auto& factory =
      look_up(settings.name, "hypervisor", [&]() -> HypervisorFactory& { return plugins.hypervisor(choice.plugin); });
  const auto is_vsock = [](const machine::NamedTransport& transport) { return transport.name == "vsock"; };
  const auto told = settings_for_hypervisor(configuration, std::ranges::any_of(parts.transports, is_vsock));
  parts.hypervisor =
      plugin::guarded({"hypervisor", choice.plugin, "create"}, [&] { return factory.create(told, choice.settings); });
  if (!parts.hypervisor->abilities().reverts && configuration.revert != config::RevertPolicy::never) {
    log().warning("%s: hypervisor %s cannot revert: what a job leaves behind stays (revert: never holds)",
                  settings.name, choice.plugin);
  }
  return std::make_unique<machine::Machine>(configuration, std::move(parts), options);
}

void log_refused(const plugin::Registry& plugins) {
  for (const auto& entry : plugins.list()) {
    if (entry.state == plugin::Entry::State::refused) {
      log().warning("plug-in refused: %s: %s", entry.path.string(), entry.reason);
    }
  }
}

// What every thread of this process has blocked: main.cpp.
int next_signal() {
  sigset_t awaited;
  sigemptyset(&awaited);
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM}) sigaddset(&awaited, number);
  for (int number = 0;;) {
    if (sigwait(&awaited, &number) == 0) return number;
  }
}

void print_help(const Poco::Util::OptionSet& options) {
  Poco::Util::HelpFormatter formatter(options);
  formatter.setUnixStyle(true);
  formatter.setWidth(110);
  formatter.setCommand("pbotvm-host");
  formatter.setUsage("[OPTION]...");
  formatter.setHeader("Runs untrusted code in disposable virtual machines, for clients that send a line over TCP.");
  formatter.format(std::cout);
  std::cout << "\nSettings: built-in default < YAML file < environment < --set\n\n";
  for (const auto& row : config::settings_table()) {
    std::string names;
    for (const auto& name : row.environment) names += (names.empty() ? "" : ", ") + name;
    std::cout << "  " << row.yaml << "  (" << (names.empty() ? "no variable" : names) << ")\n      " << row.meaning
              << "; " << row.type << ", default " << (row.fallback.empty() ? "none" : row.fallback) << "\n";
  }
}

}  // namespace

void HostApplication::defineOptions(Poco::Util::OptionSet& options) {
  // Not ServerApplication's own: a daemon's supervisor, such as systemd, keeps its pid and its place in the background.
  Application::defineOptions(options);
  const auto on = [this](void (HostApplication::*take)(const std::string&, const std::string&)) {
    return OptionCallback<HostApplication>(this, take);
  };
  options.addOption(
      Option("help", "h", "print this and the settings, then exit").callback(on(&HostApplication::take_task)));
  options.addOption(Option("version", "V", "print the version, then exit").callback(on(&HostApplication::take_task)));
  options.addOption(Option("check-config", "", "check the settings, print the first mistake, exit with 0 or 78")
                        .callback(on(&HostApplication::take_task)));
  options.addOption(Option("list-plugins", "", "print STATE, KIND, NAME, PATH, REASON of every plug-in file, then exit")
                        .callback(on(&HostApplication::take_task)));
  options.addOption(Option("print-schema", "", "print a JSON schema of the settings, for editors, then exit")
                        .callback(on(&HostApplication::take_task)));
  options.addOption(Option("config", "c", "read this YAML file instead of PBOTVM_CONFIG or /etc/pbotvm/pbotvm.yaml")
                        .argument("FILE")
                        .callback(on(&HostApplication::take_config)));
  options.addOption(Option("set", "s", "override one setting, such as host.server=9001")
                        .argument("KEY=VALUE")
                        .repeatable(true)
                        .callback(on(&HostApplication::take_setting)));
}

void HostApplication::take_config(const std::string&, const std::string& value) {
  sources_.file = value;
}

void HostApplication::take_setting(const std::string&, const std::string& value) {
  const auto equals = value.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw Poco::Util::InvalidArgumentException("--set takes KEY=VALUE, not '" + value + "'");
  }
  sources_.command_line.emplace_back(value.substr(0, equals), value.substr(equals + 1));
}

void HostApplication::take_task(const std::string& name, const std::string&) {
  if (name == "help") task_ = Task::help;
  if (name == "version") task_ = Task::version;
  if (name == "check-config") task_ = Task::check_configuration;
  if (name == "print-schema") task_ = Task::print_schema;
  if (name == "list-plugins") task_ = Task::list_plugins;
}

int HostApplication::main(const std::vector<std::string>& arguments) {
  if (!arguments.empty()) {
    std::cerr << "pbotvm-host: unexpected argument '" << error_line(arguments.front()) << "'; see pbotvm-host --help\n";
    return EXIT_USAGE;
  }
  if (task_ == Task::help) return print_help(this->options()), EXIT_OK;
  if (task_ == Task::print_schema) return std::cout << config::settings_schema(), EXIT_OK;
  if (task_ == Task::version) return std::cout << "pbotvm-host " << PBOTVM_VERSION << "\n", EXIT_OK;
  try {
    sources_.environment = config::process_environment();
    sources_.install_prefix = install_prefix();
    const auto configuration = config::load(sources_);
    if (task_ == Task::check_configuration) {
      for (const auto& line : check_configuration(configuration))
        std::cerr << "not checked: " << error_line(line) << "\n";
      return std::cout << "the configuration is valid\n", EXIT_OK;
    }
    if (task_ == Task::list_plugins) {
      const plugin::Registry plugins(configuration.plugins);
      for (const auto& entry : plugins.list()) std::cout << entry.line() << "\n";
      return EXIT_OK;
    }
    set_up_log(configuration.log_level);
    return serve(configuration);
  } catch (const ConfigurationError& e) {
    std::cerr << error_line(e.what()) << std::endl;
    return EXIT_CONFIG;
  } catch (const Error& e) {
    std::cerr << "pbotvm-host: error: " << error_line(e.what()) << std::endl;
    return e.code() == ErrorCode::configuration ? EXIT_CONFIG : EXIT_UNAVAILABLE;
  }
}

int HostApplication::serve(const config::Configuration& configuration) {
  const auto user = daemon_user(configuration.user);
  std::optional<KeptCapabilities> kept;
  if (!user) kept.emplace();
  std::vector<std::string> directories;
  for (const auto& machine : configuration.machines) directories.push_back(machine.settings.directory);
  const StateDirectory state(configuration.state, directories, user);

  const plugin::Registry plugins(configuration.plugins);
  log_refused(plugins);
  plugin::PatientGuard guard;
  const auto guard_of_start = std::make_shared<plugin::PatientGuard>(service::start_patience);  // shared: with reloads
  const auto catalogue = make_catalogue(plugins, configuration, *guard_of_start);
  check_language(*catalogue, configuration);
  for (const auto& line : service::overrides_in(*catalogue)) log().information(line);
  if (user)
    for (const auto& line : definitions_out_of_reach(configuration, *catalogue, *user)) log().warning(line);
  machine::Machine::Options options;
  options.queue_limit = configuration.queue_limit;
  options.queue_timeout = configuration.queue_timeout;
  options.tools = catalogue->tools();
  options.warm_up_time = configuration.warm_up;
  options.warm_up = service::warm_up_jobs(configuration, *catalogue, guard);
  std::vector<std::unique_ptr<machine::Machine>> machines;
  const auto make_machines = [&] {
    for (const auto& machine : configuration.machines) machines.push_back(make_machine(plugins, machine, options));
  };
  kept ? kept->use(make_machines) : make_machines();
  kept.reset();

  service::Service service(configuration, catalogue, machines, guard, service::Keeping::in_working_directory);
  LanguageReload languages(plugins, configuration, service, guard, guard_of_start);
  LineServer line_server(configuration.address, configuration.server, service);
  const std::string address = configuration.address + ":" + std::to_string(configuration.server);
  std::optional<ControlServer> control_server;
  {
    const ActingAs acting(user);
    control_server.emplace(ControlServer::Context{address, service, machines, languages});
  }
  if (user) become(*user);

  for (auto& machine : machines) machine->start();
  control_server->start();
  line_server.start();
  log().information("pbotvm-host %s serves %s, pid %d, %z languages", std::string(PBOTVM_VERSION), address,
                    static_cast<int>(::getpid()), catalogue->names().size());
  notify_service_manager("READY=1\nSTATUS=serves " + address);
  while (next_signal() == SIGHUP) languages.ask();

  notify_service_manager("STOPPING=1");
  log().information("asked to end: %z machines are ended", machines.size());
  line_server.stop_accepting();
  std::vector<std::thread> ending;
  for (auto& machine : machines) ending.emplace_back([&machine] { machine->shut_down(); });
  for (auto& thread : ending) thread.join();
  const bool drained = line_server.drain(reply_time);
  const bool read = languages.end(reload_time);
  if (!control_server->stop(reply_time) || !drained || !read) {
    // A client that does not take its reply, or a plug-in that does not come back. Their threads still refer to what
    // would be destroyed now; the machines have ended.
    log().error(read ? "ended with requests that could not be answered"
                     : "ended while a language plug-in was asked for its languages and did not come back");
    std::_Exit(EXIT_SOFTWARE);
  }
  control_server.reset();
  log().information("ended");
  return EXIT_OK;
}

}  // namespace pbotvm::host

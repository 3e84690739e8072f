// SPDX-License-Identifier: MIT
#include "service/service.h"

#include <Poco/Logger.h>
#include <Poco/String.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "pbotvm/reply_text.h"

namespace pbotvm::service {

namespace {

constexpr std::uint32_t default_open_files = 256;
constexpr std::chrono::seconds warm_up_wall{60};  // the first run of a compiler reads it from the disk

Poco::Logger& log() {
  return Poco::Logger::get("service");
}

// What the guest would refuse, found before anybody waits for it; empty when all is well.
std::string flaw_of(const Job& job) {
  try {
    protocol::decode_job(protocol::encode(job));
  } catch (const protocol::MessageError& e) {
    return e.what();
  }
  return {};
}

// What a job that was lost had printed.
std::string printed_text(const Result& result) {
  std::string text;
  for (const auto& chunk : result.output) text += chunk.bytes;
  return printable(text);
}

template <typename Number>
void lower_to(Number& value, Number bound) {
  value = value == Number{} ? bound : std::min(value, bound);
}

Plan plan_of(plugin::PatientGuard& guard, const CatalogueEntry& entry, const Request& request) {
  return guard.call({"language", entry.plugin, "plan"},
                    [language = entry.language.get(), request] { return language->plan(request); });
}

}  // namespace

void fill_limits(const config::Configuration& configuration, Limits& limits) {
  lower_to(limits.wall, configuration.timeout);
  lower_to(limits.cpu, configuration.timeout);
  lower_to(limits.output, configuration.output_limit);
  lower_to(limits.memory, configuration.memory_limit);
  lower_to(limits.processes, configuration.process_limit);
  lower_to(limits.file_size, configuration.file_limit);
  lower_to(limits.open_files, default_open_files);
}

Service::Service(const config::Configuration& configuration, const Catalogue& catalogue,
                 const std::vector<std::unique_ptr<machine::Machine>>& machines, plugin::PatientGuard& guard)
    : configuration_(configuration), catalogue_(catalogue), machines_(machines), guard_(guard) {}

machine::Machine* Service::find_machine(const std::string& name) const {
  const std::string& wanted = name.empty() ? configuration_.default_machine : name;
  for (const auto& machine : machines_) {
    if (Poco::icompare(machine->name(), wanted) == 0) return machine.get();
  }
  return nullptr;
}

std::string Service::unknown_machine_text(const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& machine : machines_) names.push_back(machine->name());
  std::sort(names.begin(), names.end());
  std::string text = "Unknown machine '" + name + "'; available machines are: ";
  for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : ", ") + names[i];
  return text;
}

std::string Service::run(const ClientRequest& client) {
  ++requests_;
  const std::string name = client.language.empty() ? configuration_.language : client.language;
  const auto* entry = catalogue_.find(name);
  if (entry == nullptr) {
    log().information("refused: unknown language '%s'", name);
    return catalogue_.unknown_language_text(name);
  }
  auto* machine = find_machine(client.machine);
  if (machine == nullptr) {
    log().information("refused: unknown machine '%s'", client.machine);
    return unknown_machine_text(client.machine);
  }

  Request request;
  request.language = name;
  request.code = client.code;
  request.input = client.input;
  request.arguments = client.arguments;
  request.nick = client.nick;
  request.channel = client.channel;
  request.factoid = client.factoid;
  try {
    auto plan = plan_of(guard_, *entry, request);
    if (auto* reply = std::get_if<ImmediateReply>(&plan)) {
      log().information("language=%s answered without a job", name);
      return reply->text;
    }
    return run_job(*entry, request, std::move(std::get<Job>(plan)), *machine);
  } catch (const std::exception& e) {
    log().error("language %s: %s", name, std::string(e.what()));
    return "Language '" + name + "' failed: " + printable(e.what());
  }
}

std::string Service::run_job(const CatalogueEntry& entry, const Request& request, Job job, machine::Machine& machine) {
  const auto missing = machine.missing_tools(entry.tools);
  if (!missing.empty()) {
    log().warning("language=%s machine=%s lacks %s", request.language, machine.name(), missing.front());
    std::string text = "Language '" + request.language + "' needs ";
    for (std::size_t i = 0; i < missing.size(); ++i) text += (i == 0 ? "" : ", ") + missing[i];
    return text + ", which virtual machine '" + machine.name() + "' does not have.";
  }
  fill_limits(configuration_, job.limits);
  if (const auto flaw = flaw_of(job); !flaw.empty()) {
    log().warning("language=%s refused: %s", request.language, flaw);
    return "Invalid request: " + printable(flaw) + "; send shorter or fewer arguments, options and files, without NUL.";
  }
  const auto begun = Deadline::Clock::now();
  const auto outcome = machine.run(std::move(job));
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - begun).count();
  if (const auto* unavailable = std::get_if<machine::Unavailable>(&outcome)) {
    log().warning("language=%s machine=%s ms=%?d unavailable: %s", request.language, machine.name(), ms,
                  unavailable->why);
    const std::string printed = printed_text(unavailable->printed);
    return printed + (printed.empty() ? "" : "\n ") + "Virtual machine '" + machine.name() +
           "' is unavailable: " + printable(unavailable->why);
  }
  if (const auto* reply = std::get_if<machine::GuestReply>(&outcome)) return printable(reply->text);
  const auto& result = std::get<Result>(outcome);
  log().information("language=%s machine=%s ms=%?d limit=%s", request.language, machine.name(), ms,
                    std::string(protocol::limit_name(result.limit)));
  return guard_.call({"language", entry.plugin, "reply"},
                     [language = entry.language.get(), request, result] { return language->reply(request, result); });
}

std::vector<Job> warm_up_jobs(const config::Configuration& configuration, const Catalogue& catalogue,
                              plugin::PatientGuard& guard) {
  std::vector<Job> jobs;
  for (const auto& entry : catalogue.entries()) {
    const std::string& name = entry.names.front();
    try {
      Request request;
      request.language = name;
      request.code = guard.call({"language", entry.plugin, "hello"},
                                [language = entry.language.get()] { return language->hello(); });
      auto plan = plan_of(guard, entry, request);
      if (auto* job = std::get_if<Job>(&plan)) {
        fill_limits(configuration, job->limits);
        job->limits.wall = warm_up_wall;
        job->limits.cpu = warm_up_wall;
        jobs.push_back(std::move(*job));
      }
    } catch (const std::exception& e) {
      log().warning("language %s: its hello program is passed over: %s", name, std::string(e.what()));
    }
  }
  return jobs;
}

}  // namespace pbotvm::service

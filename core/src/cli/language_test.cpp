// SPDX-License-Identifier: MIT
#include "cli/language_test.h"

#include <sysexits.h>

#include <Poco/Logger.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/command.h"
#include "cli/control_client.h"
#include "cli/definition_file.h"
#include "cli/direct_service.h"
#include "cli/local_guest.h"
#include "cli/vm_client.h"
#include "config/error_line.h"
#include "pbotvm/error.h"
#include "pbotvm/reply_text.h"
#include "plugin/guard.h"
#include "plugin/registry.h"
#include "service/assembly.h"

namespace pbotvm::cli {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto first_run = 120s;  // of a compiler that is not in memory, in an emulated machine
// What every stdin program can give back: bc reads numbers.
constexpr const char* input_line = "42";

// One of the two programs, and what came of it.
struct Trial {
  std::string title, code, input;
};

struct Fared {
  struct Step {
    std::string label, end;
    double wall = 0;
  };
  bool served = false;
  std::string code, reply;  // code: of a failure
  std::vector<Step> steps;
  bool clean = true;  // every step ended with 0
};

std::string seconds(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f s", value);
  return text;
}

std::string indented(const std::string& text) {
  std::string lines = "    ";
  for (const char c : text) lines += c == '\n' ? std::string("\n    ") : std::string(1, c);
  return lines;
}

std::string end_of(const StepResult& step) {
  if (!step.error.empty()) return step.error;
  return step.signal != 0 ? "signal " + std::to_string(step.signal) : "exit " + std::to_string(step.exit_code);
}

class Listener : public service::Audience {
 public:
  bool wants_progress() const override { return false; }
  void take(const service::Event& event) override {
    if (const auto* ended = std::get_if<service::Ended>(&event)) {
      fared.served = true;
      fared.reply = ended->reply;
      for (const auto& step : ended->steps) {
        fared.steps.push_back({step.label, end_of(step), std::chrono::duration<double>(step.wall).count()});
        fared.clean = fared.clean && step.exit_code == 0 && step.signal == 0 && step.error.empty();
      }
    }
    if (const auto* failed = std::get_if<service::Failed>(&event)) {
      fared.code = failed->code;
      fared.reply = failed->reply;
    }
  }
  Fared fared;
};

Fared run_directly(DirectService& service, const std::string& machine, const std::string& language,
                   const Trial& trial) {
  service::ClientRequest request;
  request.language = language;
  request.machine = machine;
  request.code = trial.code;
  request.input = trial.input;
  Listener listener;
  service.run(request, listener);
  return listener.fared;
}

void take_line(Fared& fared, const json& event) {
  const std::string kind = event.value("event", "");
  if (kind == "step") {
    Fared::Step step{event.value("label", ""), event.value("error", ""), event.value("wall", 0.0)};
    const bool ended = event.contains("exit");
    if (step.end.empty())
      step.end = ended ? "exit " + event["exit"].dump() : "signal " + std::to_string(event.value("signal", 0));
    fared.clean = fared.clean && ended && event["exit"] == 0;
    fared.steps.push_back(std::move(step));
  }
  if (kind == "end" || kind == "error") {
    fared.served = kind == "end";
    fared.code = event.value("code", "");
    fared.reply = event.value("reply", "");
  }
}

// Over the socket of its clients: the host runs the language as it has read it itself.
Fared run_through_host(const json& host, const std::string& machine, const std::string& language, const Trial& trial) {
  const std::string address = host.value("address", "");
  const auto colon = address.rfind(':');
  if (colon == std::string::npos) throw Error(ErrorCode::protocol, "the host did not say where it serves clients");
  const json request = {
      {"lang", language}, {"vm", machine}, {"code", trial.code}, {"stdin", trial.input}, {"reply", "json"}};
  std::stringstream answer;
  send_line(address.substr(0, colon), static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))),
            request.dump() + '\n', answer);
  Fared fared;
  fared.reply = "the host gave no answer";
  for (std::string line; std::getline(answer, line);) {
    const json event = json::parse(line, nullptr, false);
    if (event.is_object()) {
      take_line(fared, event);
    } else {
      fared.reply = line;
    }
  }
  return fared;
}

// What runs, exactly. Whether there is anything to run.
bool show_plan(const service::CatalogueEntry& entry, const Trial& trial) {
  Request request;
  request.language = entry.names.front();
  request.code = trial.code;
  request.input = trial.input;
  const Plan plan = plugin::guarded({"language", entry.plugin, "plan"}, [&] { return entry.language->plan(request); });
  std::cout << trial.title << ":\n";
  if (const auto* reply = std::get_if<ImmediateReply>(&plan)) {
    std::cout << "  nothing is run: " << reply->text << '\n';
    return false;
  }
  const auto& job = std::get<Job>(plan);
  for (const auto& file : job.files)
    std::cout << "  file " << file.path << ":\n"
              << indented(file.content.substr(0, file.content.find_last_not_of('\n') + 1)) << '\n';
  for (const auto& step : job.steps) {
    std::cout << "  " << step.label << ": ";
    for (const auto& [name, value] : step.environment) std::cout << name << '=' << quote_words({value}) << ' ';
    std::cout << quote_words(step.argv) << '\n';
  }
  std::cout.flush();
  return true;
}

// Why it did not do what it should; empty: it did.
std::string complaint(const Trial& trial, const Fared& fared) {
  if (!fared.served) return fared.reply.empty() ? "it was not run" : fared.reply.substr(0, fared.reply.find('\n'));
  if (fared.steps.empty()) return "nothing was run";
  if (!fared.clean) return "not every command ended with exit 0";
  if (!trial.input.empty() && fared.reply != input_line)
    return "it was to copy its input, the line " + std::string(input_line) + ", and nothing else";
  if (trial.input.empty() && fared.reply.find("hello") == std::string::npos)
    return "it was to print a line with the word hello";
  return {};
}

void show(const Fared& fared, const std::string& why) {
  for (const auto& step : fared.steps)
    std::cout << "  " << step.label << " took " << seconds(step.wall) << ": " << step.end << '\n';
  if (!fared.reply.empty()) std::cout << "  reply:\n" << indented(fared.reply) << '\n';
  std::cout << (why.empty() ? "  passed" : "  failed: " + why) << std::endl;
}

using Runner = std::function<Fared(const std::string& language, const Trial& trial)>;

std::string stdin_program_of(const service::CatalogueEntry& entry) {
  return plugin::guarded({"language", entry.plugin, "stdin_program"}, [&]() -> std::string {
    auto* facts = static_cast<const LanguageFacts*>(entry.language->extension(LanguageFacts::identifier));
    return facts == nullptr ? "" : facts->stdin_program();
  });
}

std::vector<Trial> trials_of(const service::CatalogueEntry& entry) {
  std::vector<Trial> trials = {
      {"hello", plugin::guarded({"language", entry.plugin, "hello"}, [&] { return entry.language->hello(); }), ""}};
  if (std::string program = stdin_program_of(entry); !program.empty())
    trials.push_back({"stdin_program", std::move(program), std::string(input_line) + "\n"});
  return trials;
}

// One language, with all that is done.
int test_one(const service::CatalogueEntry& entry, const Runner& run) {
  bool passed = true;
  const std::vector<Trial> trials = trials_of(entry);
  for (const Trial& trial : trials) {
    if (!show_plan(entry, trial)) {
      passed = false;
      continue;
    }
    const Fared fared = run(entry.names.front(), trial);
    const std::string why = complaint(trial, fared);
    show(fared, why);
    passed = passed && why.empty();
    if (fared.code == "unavailable") return EX_UNAVAILABLE;
    if (fared.code == "missing-tools") break;
  }
  if (trials.size() == 1)
    std::cout << "there is no stdin_program: nothing shows that programs read their standard input\n";
  std::cout << entry.names.front() << (passed ? ": passed" : ": failed") << std::endl;
  return passed ? 0 : 1;
}

std::string packages_of(const service::CatalogueEntry& entry) {
  const auto found = entry.details.packages.find("debian");
  if (found == entry.details.packages.end()) return "-";
  std::string text;
  for (const auto& package : found->second) text += (text.empty() ? "" : " ") + package;
  return text;
}

// One line a language.
int test_several(const std::vector<const service::CatalogueEntry*>& entries, const Runner& run) {
  int status = 0;
  for (const auto* entry : entries) {
    std::string state = "passed", times, why;
    for (const Trial& trial : trials_of(*entry)) {
      const auto begun = Deadline::Clock::now();
      const Fared fared = run(entry->names.front(), trial);
      if (fared.code == "unavailable") throw Error(ErrorCode::unavailable, fared.reply);
      why = complaint(trial, fared);
      times += '\t' + seconds(std::chrono::duration<double>(Deadline::Clock::now() - begun).count());
      if (!why.empty()) state = fared.code == "missing-tools" ? "missing" : "failed";
      if (!why.empty()) why = trial.title + ": " + why + (fared.served ? ": " + fared.reply : "");
      if (!why.empty()) break;
    }
    for (auto columns = std::count(times.begin(), times.end(), '\t'); columns < 2; ++columns) times += "\t-";
    std::cout << entry->names.front() << '\t' << state << times << '\t' << packages_of(*entry) << '\t'
              << error_line(why) << std::endl;
    if (state == "failed") status = 1;
  }
  return status;
}

// What the operator asks for, found in the catalogue.
class Choice {
 public:
  explicit Choice(const LanguageTest& test) : what_(test.what) {
    // Absolute: STATE becomes the working directory where a host is asked.
    if (what_.size() == 1 && names_a_file(what_.front())) file_ = definition_file(what_.front());
  }

  const std::filesystem::path& file() const { return file_; }

  int test(const service::Catalogue& catalogue, const Runner& run) const {
    if (!file_.empty()) return test_one(definition(catalogue), run);
    std::vector<const service::CatalogueEntry*> entries;
    for (const auto& name : what_) entries.push_back(&named(catalogue, name));
    if (entries.size() == 1) return test_one(*entries.front(), run);
    if (entries.empty())
      for (const auto& entry : catalogue.entries()) entries.push_back(&entry);
    return test_several(entries, run);
  }

  /// The language of the file.
  const service::CatalogueEntry& definition(const service::Catalogue& catalogue) const {
    for (const auto& entry : catalogue.entries())
      if (entry.plugin == "definitions") return entry;
    throw Error(ErrorCode::plugin, file_.string() + " was not read",
                "is the plug-in definitions there? see pbotvm doctor");
  }

 private:
  static const service::CatalogueEntry& named(const service::Catalogue& catalogue, const std::string& name) {
    const auto* entry = catalogue.find(name);
    if (entry == nullptr)
      throw Error(ErrorCode::refused, "there is no language '" + name + "'", "see pbotvm run -lang=?");
    return *entry;
  }

  std::vector<std::string> what_;
  std::filesystem::path file_;  // empty: languages by name
};

// What this system lacks, before anything is run.
void require_tools(const service::Catalogue& catalogue, const LocalGuest& guest) {
  for (const auto& entry : catalogue.entries()) {
    if (entry.plugin != "definitions") continue;
    for (const auto& tool : entry.tools)
      if (!guest.has(tool))
        throw Error(
            ErrorCode::unavailable, "this system has no " + tool,
            entry.details.packages.contains("debian") ? "apt-get install " + packages_of(entry) : entry.details.note);
  }
}

int test_here(const config::Configuration& configuration, const Choice& choice) {
  const LocalGuest guest;
  const auto machine = guest.machine(configuration.machines.front());
  DirectService service(configuration, machine);
  Poco::Logger::setLevel("", Poco::Message::PRIO_ERROR);  // what it cannot contain is said below, once
  if (!choice.file().empty()) require_tools(service.catalogue(), guest);
  std::cout << "with the programs of this system, as user " << guest.user()
            << ", contained only as far as this system allows; --machine NAME runs it in a machine\n";
  return choice.test(service.catalogue(), [&](const std::string& language, const Trial& trial) {
    return run_directly(service, machine.settings.name, language, trial);
  });
}

int test_through_host(const config::Configuration& configuration, const Choice& choice, const json& host,
                      const std::string& machine) {
  const plugin::Registry plugins(configuration.plugins);
  const auto catalogue = service::make_catalogue(plugins, configuration);
  if (!choice.file().empty()) {
    require_host_has(configuration, choice.file(), choice.definition(*catalogue));
    std::cout << "in machine '" << machine << "', through the host that holds it, as the host has read the file\n";
  }
  return choice.test(*catalogue, [&](const std::string& language, const Trial& trial) {
    return run_through_host(host, machine, language, trial);
  });
}

int test_directly(const config::Configuration& configuration, const Choice& choice,
                  const config::MachineConfiguration& machine) {
  DirectService service(configuration, machine);
  const int status = choice.test(service.catalogue(), [&](const std::string& language, const Trial& trial) {
    return run_directly(service, machine.settings.name, language, trial);
  });
  if (status == EX_UNAVAILABLE) tell_who_starts(machine);
  return status;
}

}  // namespace

int test_languages(config::Configuration configuration, const LanguageTest& test) {
  const Choice choice(test);
  if (!choice.file().empty()) configuration.languages = {choice.file()};
  configuration.timeout = std::max<std::chrono::milliseconds>(configuration.timeout, first_run);
  configuration.fortune = false;
  if (test.machine.empty()) return test_here(configuration, choice);
  const auto& machine = machine_of(configuration, test.machine);
  if (const json host = holding_host(configuration.state, machine.settings.name); !host.is_null())
    return test_through_host(configuration, choice, host, machine.settings.name);
  return test_directly(configuration, choice, machine);
}

}  // namespace pbotvm::cli

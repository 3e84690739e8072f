// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "contracts.h"
#include "local_run.h"
#include "pbotvm/language_facts.h"
#include "pbotvm/language_options.h"
#include "pbotvm/reply_text.h"
#include "pbotvm/tool_options.h"
#include "plugin/patient_guard.h"
#include "protocol/messages.h"
#include "service/plan_check.h"

namespace pbotvm::contract {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t output_limit = 256 * 1024;
constexpr std::string_view marker = "printed by the program";
constexpr auto run_patience = 60s;

/// One language, asked as a host asks it: on other threads, with limited patience.
class Asked {
 public:
  Asked(std::string plugin, std::shared_ptr<Language> language, std::shared_ptr<plugin::PatientGuard> guard)
      : plugin_(std::move(plugin)), language_(std::move(language)), guard_(std::move(guard)) {}

  template <typename Function>
  auto ask(const std::string& method, Function function) const {
    return guard_->call({"language", plugin_, method},
                        [language = language_, function] { return function(*language); });
  }

  std::string name() const {
    return ask("name", [](Language& language) { return language.name(); });
  }
  Plan plan(const Request& request) const {
    return ask("plan", [request](Language& language) { return language.plan(request); });
  }
  std::string reply(const Request& request, const Result& result) const {
    return ask("reply", [request, result](Language& language) { return language.reply(request, result); });
  }
  Request request(const std::string& code) const {
    Request request;
    request.language = name();
    request.code = code;
    return request;
  }
  Request hello() const {
    return request(ask("hello", [](Language& language) { return language.hello(); }));
  }
  Job hello_job() const {
    Plan plan = this->plan(hello());
    if (const auto* reply = std::get_if<ImmediateReply>(&plan))
      throw Broken("its hello program is answered without a job: " + reply->text);
    return std::get<Job>(std::move(plan));
  }

 private:
  std::string plugin_;
  std::shared_ptr<Language> language_;  // shared: a call that hangs may outlive the check
  std::shared_ptr<plugin::PatientGuard> guard_;
};

/// Everything of a plan, so that two can be compared.
std::string written(const Plan& plan) {
  if (const auto* reply = std::get_if<ImmediateReply>(&plan)) return "at once: " + reply->text;
  const auto& job = std::get<Job>(plan);
  std::string text = protocol::encode(job) + job.input;
  for (const auto& file : job.files) text += '\0' + file.content;
  return text;
}

void demand_text(const std::string& text, const std::string& what) {
  if (const auto flaw = service::flaw_of_reply(text, output_limit); !flaw.empty()) throw Broken(what + ": " + flaw);
}

// Nothing that a client writes may make a plan that is the language's own mistake.
void demand_sound(const Request& request, const Plan& plan, const std::string& what) {
  if (const auto* reply = std::get_if<ImmediateReply>(&plan)) return demand_text(reply->text, what);
  const auto flaw = service::flaw_of_plan(std::get<Job>(plan), request);
  demand(flaw.text.empty() || flaw.of_request, what + ": " + flaw.text);
}

struct Odd {
  std::string what, code, arguments{}, input{};
};

std::vector<Odd> odd_requests() {
  const std::string large(1'000'000, 'x');
  return {{"blanks only", "  \t \n "},
          {"a quote that is not closed", "\"abc"},
          {"a backslash at the end", "abc\\"},
          {"a lone option", "-"},
          {"two dashes", "--"},
          {"an option and no code", "-x"},
          {"-args without arguments", "-args"},
          {"-stdin without text", "abc -stdin"},
          {"characters beyond ASCII", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
          {"control characters", "a\x01\x02\x1b[31mb\x7f"},
          {"a NUL", std::string("a\0b", 3)},
          {"braces that are not closed", std::string(10'000, '{')},
          {"brackets that close nothing", std::string(10'000, ')')},
          {"a megabyte in one line", large},
          {"many lines", std::string(200'000, '\n') + "x"},
          {"a shell's substitutions", "$(reboot) `reboot` ; reboot #"},
          {"many arguments", "x", std::string(20'000, 'a') + std::string(10'000, ' ') + "b"},
          {"a NUL among the arguments", "x", std::string("a\0b", 3)},
          {"input of any bytes", "x", "", std::string("\xff\x00\xfe", 3)},
          {"formats", "%s%n%d {} {0} {file} {options}"}};
}

/// How a job may have ended, as far as a reply must tell the difference.
Result ended(const Job& job, const std::string& output, int exit_code, int signal, Limit limit) {
  Result result;
  result.output_limit = output_limit;
  result.limit = limit;
  std::uint32_t last = 0;
  for (std::uint32_t i = 0; i < job.steps.size(); ++i) {
    if (job.steps[i].when == When::after_crash) continue;
    StepResult step;
    step.step = last = i;
    step.label = job.steps[i].label;
    result.steps.push_back(step);
  }
  if (result.steps.empty()) return result;
  result.steps.back().exit_code = exit_code;
  result.steps.back().signal = signal;
  result.steps.back().limit = limit;
  if (!output.empty()) result.output.push_back({last, Stream::out, output});
  return result;
}

std::string told(const Asked& asked, const Result& result, const std::string& what, bool factoid = false) {
  Request request = asked.hello();
  request.factoid = factoid;
  std::string reply = asked.reply(request, result);
  demand_text(reply, what);
  demand(reply == asked.reply(request, result), what + ": asked twice it replies differently; reply() must be pure");
  return reply;
}

void check_replies(const Asked& asked) {
  const Job job = asked.hello_job();
  const std::string text(marker);
  const auto success = told(asked, ended(job, text + "\n", 0, 0, Limit::none), "a program that printed");
  demand(success.find(text) != std::string::npos, "what the program printed is not in the reply: " + success);
  demand(!told(asked, ended(job, "", 0, 0, Limit::none), "nothing printed").empty(),
         "the reply is empty when nothing was printed; program_reply() says so");
  told(asked, ended(job, "", 0, 0, Limit::none), "a factoid that prints nothing", true);
  told(asked, ended(job, text, 3, 0, Limit::none), "exit code 3");
  told(asked, ended(job, text, 0, 11, Limit::none), "ended by a signal");
  told(asked, ended(job, std::string("\xff\x00\x1b\x08", 4), 0, 0, Limit::none), "output of any bytes");
  told(asked, ended(job, std::string(output_limit, '\x07'), 0, 0, Limit::none), "the most output that there may be");
  told(asked, Result(), "a job of which no step ran");
  Result unknown = ended(job, text, 0, 0, Limit::none);
  unknown.output.push_back({77, Stream::err, "x"});
  told(asked, unknown, "output of a step that there is not");
  Result not_started = ended(job, "", 0, 0, Limit::none);
  if (!not_started.steps.empty()) not_started.steps.back().error = "no such program";
  told(asked, not_started, "a program that could not be started");
}

void check_limits(const Asked& asked) {
  const Job job = asked.hello_job();
  for (const Limit limit :
       {Limit::wall, Limit::cpu, Limit::memory, Limit::processes, Limit::output, Limit::file_size, Limit::cancelled}) {
    const Result result = ended(job, std::string(marker), 0, 9, limit);
    const std::string reply = told(asked, result, limit_text(result));
    demand(
        reply.find(limit_text(result)) != std::string::npos,
        "the reply does not tell of " + limit_text(result) + ", as program_reply() and failure_reply() do: " + reply);
  }
}

void check_threads(const Asked& asked, const Request& request) {
  const std::string first = written(asked.plan(request));
  std::vector<std::thread> threads;
  std::atomic<unsigned> differing{0}, threw{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 25; ++j) {
        try {
          if (written(asked.plan(request)) != first) ++differing;
        } catch (const std::exception&) {
          ++threw;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  demand(threw == 0, "plan() threw when 8 threads called it at the same time");
  demand(differing == 0, "plan() returned something else when 8 threads called it at the same time");
}

void check_tools(const Asked& asked) {
  const auto tools = asked.ask("tools", [](Language& language) { return language.tools(); });
  for (const auto& step : asked.hello_job().steps) {
    const std::string& program = step.argv.at(0);
    if (step.when == When::after_crash || program.find('/') != std::string::npos) continue;
    demand(
        std::find(tools.begin(), tools.end(), program) != tools.end(),
        "a step runs '" + program + "', which tools() does not name; without it a request is not told what is missing");
  }
}

void check_facts(const Asked& asked) {
  asked.ask("facts", [hello = asked.hello_job()](Language& language) {
    demand(language.extension("pbotvm.no-such-interface/1") == nullptr,
           "extension() returns something for an identifier that nobody has");
    const auto* facts = static_cast<const LanguageFacts*>(language.extension(LanguageFacts::identifier));
    if (facts == nullptr) return 0;
    const std::string file = facts->file();
    demand(std::any_of(hello.files.begin(), hello.files.end(), [&](const auto& own) { return own.path == file; }),
           "its facts name the file '" + file + "', which its plan does not write");
    demand(facts->comment_marks().begin.find('\n') == std::string::npos, "its comment marks contain a line's end");
    for (const char* distribution : {"debian", "fedora", "opensuse", "no-such-distribution"}) {
      for (const auto& package : facts->packages(distribution))
        demand(package.find_first_of(" \t\n") == std::string::npos, "package '" + package + "' contains a blank");
    }
    demand(facts->note().find('\n') == std::string::npos, "its note has more than one line");
    demand(service::flaw_of_hello(facts->stdin_program()).empty(), "its stdin program is too long, or not UTF-8");
    return 0;
  });
}

bool writes(const Plan& plan, const std::string& word) {
  const auto* job = std::get_if<Job>(&plan);
  return job != nullptr && std::any_of(job->files.begin(), job->files.end(), [&](const JobFile& file) {
           return file.content.find(word) != std::string::npos;
         });
}

// What the host believes of options, held against what plan() does with them.
void check_conduct_with_options(const Asked& asked, bool takes_options, const ToolOptions& rules) {
  const std::string option = "-no-such-option-of-any-language", value = "no_such_value_of_any_option";
  const std::string hello = asked.hello().code;
  // In front of the code: a value alone may stand in a file, such as that of -include in an #include.
  const std::string value_as_code = value + " " + hello.substr(0, hello.find_first_of(" \t\n(\"'"));
  const Plan plan = asked.plan(asked.request(option + " " + hello));
  if (!takes_options) {
    const auto* reply = std::get_if<ImmediateReply>(&plan);
    demand(reply == nullptr || reply->text.find("Option '" + option + "'") == std::string::npos,
           "takes_options() is false, but plan() refused the option " + option);
    return;
  }
  demand(!writes(plan, option), "takes_options() is true, but in plan() the option " + option + " became code");
  for (const auto& with_value : rules.with_value()) {
    const std::string name(with_value);
    if (name.find_first_of("*?") != std::string::npos) continue;
    demand(!writes(asked.plan(asked.request(name + " " + value + " " + hello)), value_as_code),
           "the rules say that a value follows '" + name + "', but in plan() it became code");
  }
}

void check_options(const Asked& asked) {
  struct Told {
    bool takes_options;
    std::vector<std::string> rules;
  };
  const auto told = asked.ask("options", [](Language& language) -> std::optional<Told> {
    const auto* options = static_cast<const LanguageOptions*>(language.extension(LanguageOptions::identifier));
    if (options == nullptr) return std::nullopt;
    return Told{options->takes_options(), options->option_rules()};
  });
  if (!told) return;
  demand(told->rules.size() <= service::max_option_rules,
         "rules of LanguageOptions: " + std::to_string(told->rules.size()) + ", at most " +
             std::to_string(service::max_option_rules) + " are accepted");
  check_conduct_with_options(asked, told->takes_options, ToolOptions(told->rules));
}

void check_one(Checks& checks, const Asked& asked, const std::string& prefix) {
  checks.run(prefix + "its hello program becomes a job that can be sent", [&] {
    const Request hello = asked.hello();
    demand(!hello.code.empty(), "its hello program is empty");
    if (const auto flaw = service::flaw_of_hello(hello.code); !flaw.empty()) throw Broken(flaw);
    const auto flaw = service::flaw_of_plan(asked.hello_job(), hello);
    demand(flaw.text.empty(), flaw.text);
  });
  checks.run(prefix + "plans the same for the same request", [&] {
    const Request hello = asked.hello();
    demand(written(asked.plan(hello)) == written(asked.plan(hello)), "asked twice, the two plans differ");
  });
  checks.run(prefix + "plans for many threads at the same time", [&] { check_threads(asked, asked.hello()); });
  checks.run(prefix + "answers at once to a request without code, and to -info", [&] {
    for (const std::string code : {"", "-info x"}) {
      const Plan plan = asked.plan(asked.request(code));
      const auto* reply = std::get_if<ImmediateReply>(&plan);
      demand(reply != nullptr && !reply->text.empty(), "no reply at once to '" + code + "'");
    }
  });
  checks.run(prefix + "takes whatever a client writes", [&] {
    for (const auto& odd : odd_requests()) {
      Request request = asked.request(odd.code);
      request.arguments = odd.arguments;
      request.input = odd.input;
      try {
        demand_sound(request, asked.plan(request), odd.what);
      } catch (const Error& error) {
        throw Broken(odd.what + ": " + error.what());
      }
    }
  });
  checks.run(prefix + "replies to whatever a job ends with", [&] { check_replies(asked); });
  checks.run(prefix + "tells of each limit that struck", [&] { check_limits(asked); });
  checks.run(prefix + "names the programs that its steps need", [&] { check_tools(asked); });
  checks.run(prefix + "its facts are sound", [&] { check_facts(asked); });
  checks.run(prefix + "what it tells of options is what it does", [&] { check_options(asked); });
}

std::vector<Asked> languages_of(const std::string& name, LanguageFactory& factory, const LanguageContext& context) {
  const auto guard = std::make_shared<plugin::PatientGuard>();
  std::vector<Asked> asked;
  for (auto& language : plugin::guarded({"language", name, "create"}, [&] { return factory.create(context); })) {
    demand(language != nullptr, "create() returned a null language");
    asked.emplace_back(name, std::move(language), guard);
  }
  return asked;
}

}  // namespace

void check_language(Checks& checks, const std::string& name, LanguageFactory& factory, const LanguageContext& context) {
  std::vector<Asked> languages;
  checks.run("makes its languages, twice", [&] {
    languages_of(name, factory, context);
    languages = languages_of(name, factory, context);
    demand(!languages.empty(), "create() returned no language");
  });
  checks.run("its languages have names and tools that a host takes", [&] {
    std::vector<std::string> all;
    for (const auto& asked : languages) {
      auto names = asked.ask("aliases", [](Language& language) { return language.aliases(); });
      names.insert(names.begin(), asked.name());
      const auto tools = asked.ask("tools", [](Language& language) { return language.tools(); });
      if (const auto flaw = service::flaw_of_language(names, tools); !flaw.empty()) throw Broken(flaw);
      all.insert(all.end(), names.begin(), names.end());
    }
    std::sort(all.begin(), all.end());
    const auto twice = std::adjacent_find(all.begin(), all.end());
    if (twice != all.end()) throw Broken("the name '" + *twice + "' is claimed twice");
  });
  if (checks.broken() != 0) return;
  for (const auto& asked : languages) check_one(checks, asked, languages.size() == 1 ? "" : asked.name() + ": ");
}

void check_reply(Checks& checks, const std::string& name, LanguageFactory& factory, const LanguageContext& context,
                 const ExpectedReply& expected) {
  checks.run("'" + expected.request.code + "' is answered as expected", [&] {
    const auto languages = languages_of(name, factory, context);
    const auto asked = std::find_if(languages.begin(), languages.end(), [&](const Asked& one) {
      return expected.language.empty() || one.name() == expected.language;
    });
    if (asked == languages.end()) throw Broken("it has no language '" + expected.language + "'");
    Request request = expected.request;
    request.language = asked->name();
    const Plan plan = asked->plan(request);
    demand_sound(request, plan, "its plan");
    const auto* immediate = std::get_if<ImmediateReply>(&plan);
    std::string reply =
        immediate != nullptr ? immediate->text : asked->reply(request, run_here(std::get<Job>(plan), run_patience));
    reply.erase(reply.find_last_not_of(" \t\r\n") + 1);
    demand(reply == expected.reply, "expected '" + expected.reply + "', found '" + reply + "'");
  });
}

}  // namespace pbotvm::contract

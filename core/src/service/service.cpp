// SPDX-License-Identifier: MIT
#include "service/service.h"

#include <Poco/Logger.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <stop_token>
#include <utility>

#include "pbotvm/reply_text.h"
#include "service/client_files.h"
#include "service/job_limits.h"
#include "service/language_calls.h"
#include "service/pastes.h"
#include "service/refusal.h"
#include "service/shown_name.h"

namespace pbotvm::service {

namespace {

constexpr std::chrono::minutes progress_patience{10};  // only how often the wait is taken up again
constexpr const char* same_output_text = "Same output.";
constexpr const char* history_file = "history.db";       // below STATE, the host's working directory
constexpr const char* persistent_directory = "persist";  // below STATE, the host's working directory, likewise:
constexpr const char* paste_directory = "paste";

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

// White space at a reply's end is never a client's.
std::string without_end(std::string text) {
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  return text;
}

Request request_of(const ClientRequest& client, const std::string& language) {
  Request request;
  request.language = language;
  request.code = client.code;
  request.input = client.input;
  request.arguments = client.arguments;
  request.nick = client.nick;
  request.channel = client.channel;
  request.factoid = client.factoid;
  return request;
}

class TextAudience : public Audience {
 public:
  bool wants_progress() const override { return false; }
  void take(const Event& event) override {
    if (const auto* text = reply_text_of(event)) text_ = *text;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

const std::string* reply_text_of(const Event& event) {
  if (const auto* ended = std::get_if<Ended>(&event)) return &ended->reply;
  if (const auto* failed = std::get_if<Failed>(&event)) return &failed->reply;
  return nullptr;
}

Service::Service(const config::Configuration& configuration, std::shared_ptr<const Catalogue> catalogue,
                 const std::vector<std::unique_ptr<machine::Machine>>& machines, plugin::PatientGuard& guard,
                 Keeping keeping)
    : configuration_(configuration),
      catalogue_(std::move(catalogue)),
      machines_(machines),
      guard_(guard),
      persistent_(persistent_directory, {configuration.persist_limit, configuration.persist_keys}) {
  if (keeping == Keeping::in_working_directory)
    pastes_.emplace(paste_directory, paste::Store::Bounds{configuration.paste_files, configuration.paste_limit});
  if (keeping == Keeping::in_working_directory && configuration.history)
    history_.emplace(history_file, history::Bounds{configuration.history_entries, configuration.history_size});
  if (configuration.fortune) fortune_.emplace(find_fortune());
}

std::shared_ptr<const Catalogue> Service::catalogue() const {
  const std::lock_guard lock(catalogue_mutex_);
  return catalogue_;
}

void Service::use(std::shared_ptr<const Catalogue> catalogue) {
  for (const auto& machine : machines_) machine->ask_after(catalogue->tools());
  const std::lock_guard lock(catalogue_mutex_);
  catalogue_.swap(catalogue);  // the old one ends, if nobody else has it, when the lock is gone
}

machine::Machine* Service::find_machine(const std::string& name) const {
  const std::string wanted = configuration_.name_of_machine(name.empty() ? configuration_.default_machine : name);
  for (const auto& machine : machines_) {
    if (machine->name() == wanted) return machine.get();
  }
  return nullptr;
}

bool Service::speaks_frames(const machine::Machine& machine) const {
  return std::none_of(configuration_.machines.begin(), configuration_.machines.end(), [&](const auto& configured) {
    return configured.settings.name == machine.name() && configured.protocol != config::Dialect::frames;
  });
}

std::string Service::unknown_machine_text(const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& machine : machines_) names.push_back(machine->name());
  std::sort(names.begin(), names.end());
  std::string text = "Unknown machine " + in_quotes(name) + "; available machines are: ";
  for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : ", ") + names[i];
  return text;
}

std::string Service::run(const ClientRequest& request) {
  TextAudience audience;
  RequestControl control;
  run(request, audience, control);
  return audience.text();
}

void Service::run(const ClientRequest& request, Audience& audience, RequestControl& control) {
  ++requests_;
  Event last;
  try {
    last = answer(request, audience, control);
  } catch (const Refused& refused) {
    last = refused.event;
  } catch (const RequestError& e) {
    last = failure("bad-request", e.what());
  } catch (const std::exception& e) {
    log().error("a request failed: %s", std::string(e.what()));
    last = failure("host-failed", "The host failed to serve this request; its log says why.");
  }
  control.detach();
  audience.take(last);
}

Event Service::answer(const ClientRequest& client, Audience& audience, RequestControl& control) {
  const std::string name = client.language.empty() ? configuration_.language : client.language;
  const auto languages = catalogue();
  const auto* entry = languages->find(name);
  if (entry == nullptr) {
    log().information("refused: unknown language '%s'", name);
    refuse("unknown-language", languages->unknown_language_text(name));
  }
  auto* machine = find_machine(client.machine);
  if (machine == nullptr) {
    log().information("refused: unknown machine '%s'", client.machine);
    refuse("unknown-machine", unknown_machine_text(client.machine));
  }
  Run run{client, audience, control, languages, *entry, *machine, request_of(client, name)};
  if (const auto reply = edit_earlier_code(run)) return *reply;
  auto plan = of_language(*entry, name, [&] { return plan_of(guard_, *entry, run.request); });
  if (auto* reply = std::get_if<ImmediateReply>(&plan)) {
    check_reply(*entry, name, reply->text, configuration_.output_limit);
    log().information("language=%s answered without a job", name);
    return Ended{without_end(std::move(reply->text))};
  }
  return run_job(run, std::move(std::get<Job>(plan)));
}

// The request's code becomes what an edit made of earlier code; or the request is answered. What a factoid brings
// nobody has written just now: it is neither an edit nor remembered.
std::optional<Event> Service::edit_earlier_code(Run& run) {
  if (!history_ || run.client.factoid) return {};
  const auto& details = run.entry.details;
  auto answer = history_->apply(run.client.channel, run.entry.names.front(), run.client.code,
                                {details.takes_options, details.options_with_value});
  if (auto* reply = std::get_if<history::Reply>(&answer)) {
    log().information("language=%s answered from the history", run.request.language);
    if (reply->failed) refuse("bad-request", printable(reply->text));
    return Ended{without_end(printable(reply->text))};
  }
  run.request.code = std::move(std::get<history::RunThis>(answer).code);
  return {};
}

Event Service::run_job(Run& run, Job job) {
  check_plan(run.entry, run.request, job);
  prepare(run, job);
  bring_input(run, job);
  begin_page(run, job);
  bring_kept_files(run, job);
  check_tree(job.files, "the file ");
  if (const auto flaw = flaw_of(job); !flaw.empty()) {
    log().warning("language=%s refused: %s", run.request.language, flaw);
    refuse("bad-request", "Invalid request: " + printable(flaw) +
                              "; send shorter or fewer arguments, options and files, without NUL.");
  }
  const auto begun = Deadline::Clock::now();
  auto outcome = execute(run, std::move(job));
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - begun).count();
  if (const auto refusal = run.control.refusal(); !refusal.empty()) refuse("bad-request", refusal);
  if (const auto* unavailable = std::get_if<machine::Unavailable>(&outcome)) {
    log().warning("language=%s machine=%s ms=%?d unavailable: %s", run.request.language, run.machine.name(), ms,
                  unavailable->why);
    const std::string printed = printed_text(unavailable->printed);
    const std::string text =
        "Virtual machine '" + run.machine.name() + "' is unavailable: " + printable(unavailable->why);
    return Failed{"unavailable", text, printed + (printed.empty() ? "" : "\n ") + text};
  }
  if (const auto* reply = std::get_if<machine::GuestReply>(&outcome)) {
    log().information("language=%s machine=%s ms=%?d worded by the guest", run.request.language, run.machine.name(),
                      ms);
    return Ended{shown_in_channel(run, keep_page(run, without_end(printable(reply->text))))};
  }
  auto& result = std::get<Result>(outcome);
  log().information("language=%s machine=%s ms=%?d limit=%s", run.request.language, run.machine.name(), ms,
                    std::string(protocol::limit_name(result.limit)));
  return finish(run, std::move(result));
}

// Everything of the job that does not depend on what earlier ones kept.
void Service::prepare(Run& run, Job& job) {
  const auto& client = run.client;
  const auto& name = run.request.language;
  const auto missing = run.machine.missing_tools(run.entry.tools);
  if (!missing.empty()) {
    log().warning("language=%s machine=%s lacks %s", name, run.machine.name(), missing.front());
    refuse("missing-tools", Catalogue::missing_tools_text(run.entry, name, missing, run.machine.name()));
  }
  if (!speaks_frames(run.machine) && (!client.files.empty() || !client.outputs.empty() || client.streams_input)) {
    refuse("bad-request", "Invalid request: the guest of virtual machine '" + run.machine.name() +
                              "' speaks PBot's own protocol, which carries no \"files\", \"outputs\" or "
                              "\"stdin-stream\"; name another machine with -vm=NAME.");
  }
  job.language = name;
  job.factoid = client.factoid;
  fill_limits(configuration_, job.limits);
  add_client_files(client, name, job);
  job.collection.patterns = client.outputs;
  if (client.outputs.empty()) return;
  job.collection.files = configuration_.collect_files;
  job.collection.bytes = configuration_.collect_limit;
}

// Without any input of its own a program that reads some gets a line of fortune, as with PBot.
void Service::bring_input(const Run& run, Job& job) {
  if (!fortune_ || !job.input.empty() || run.client.input_given || run.client.streams_input) return;
  const auto reads = [](const Step& step) { return step.reads_input; };
  if (std::any_of(job.steps.begin(), job.steps.end(), reads)) job.input = fortune_->line() + '\n';
}

// What -paste keeps is known when the job ends; whether it can be is known before.
void Service::begin_page(Run& run, const Job& job) {
  if (!asks_for_paste(run.request.code, run.entry.details)) return;
  if (!pastes_)
    refuse("bad-request",
           "Invalid request: -paste needs a host, which keeps the page; start pbotvm-host and use vm-client.");
  if (configuration_.paste_files == 0)
    refuse("bad-request", "Invalid request: this host keeps no pastes; send the request without -paste.");
  run.page = page_of(job, run.entry.details.marks);
}

// The reply to who asked for a paste is where it is; any other stays as it is.
std::string Service::keep_page(Run& run, std::string reply) {
  if (!run.page) return reply;
  run.page->output = std::move(reply);
  try {
    const std::string name = pastes_->keep(paste::page_text(*run.page), run.page->file);
    return configuration_.paste_url.empty() ? (configuration_.state / paste_directory / name).string()
                                            : configuration_.paste_url + name;
  } catch (const Error& e) {
    log().error("a paste is not kept: %s", std::string(e.what()));
    const std::string why = e.code() == ErrorCode::refused ? e.what() : "the host could not write it; its log says why";
    return run.page->output + (run.page->output.empty() ? "" : "\n") + "[Not pasted: " + why + "]";
  }
}

// A chat need not read the same long text again, as with PBot. A reply in JSON is for a program, which gets what it
// asked for; a factoid's is shown always, and is the last one then; a paste's is another one each time.
std::string Service::shown_in_channel(const Run& run, std::string reply) {
  const auto& client = run.client;
  if (!configuration_.same_output || client.reply != ReplyForm::text || run.page) return reply;
  const std::string& language = run.entry.names.front();
  const auto now = history::ShownOutputs::Clock::now();
  if (client.factoid) {
    shown_outputs_.show(client.channel, language, reply, now);
  } else if (shown_outputs_.repeats(client.channel, language, reply, now)) {
    log().information("language=%s answered: the same output as before in this channel", run.request.language);
    return same_output_text;
  }
  // What the channel never got must be shown to it the next time.
  run.control.on_reply_lost(
      [this, channel = client.channel, language, reply] { shown_outputs_.forget(channel, language, reply); });
  return reply;
}

machine::Outcome Service::execute(Run& run, Job job) {
  refuse_if_cancelled(run.control);
  const bool progress = run.audience.wants_progress();
  std::vector<std::string> labels;
  std::set<std::uint32_t> explaining;  // steps whose words are for the language, which tells them in its reply
  for (const auto& step : job.steps) {
    if (step.when == When::after_crash) explaining.insert(static_cast<std::uint32_t>(labels.size()));
    labels.push_back(step.label);
  }
  const auto execution = run.machine.submit(std::move(job), {progress, run.client.streams_input});
  run.control.attach(execution);
  const std::stop_callback on_cancel(run.control.stop_token(), [&execution] { execution->cancel(); });
  using Execution = machine::Execution;
  for (;;) {
    auto next = execution->next(Deadline::in(progress_patience));
    if (auto* outcome = std::get_if<machine::Outcome>(&next)) return std::move(*outcome);
    if (std::holds_alternative<Execution::GivenUp>(next)) {
      refuse_if_cancelled(run.control);
      return run.machine.no_slot_in_time();
    }
    auto* news = std::get_if<machine::Progress>(&next);
    if (news == nullptr) continue;
    if (std::holds_alternative<machine::Begun>(*news)) {
      run.audience.take(Started{run.request.language, run.machine.name()});
    } else if (auto* chunk = std::get_if<OutputChunk>(news)) {
      if (explaining.contains(chunk->step)) continue;
      const std::string label = chunk->step < labels.size() ? labels[chunk->step] : std::string();
      run.audience.take(Printed{std::move(*chunk), label});
    } else {
      run.audience.take(std::get<StepResult>(*news));
    }
  }
}

Event Service::finish(Run& run, Result result) {
  const std::string not_saved = hand_out(run, result);
  std::string reply = of_language(run.entry, run.request.language, [&] {
    return guard_.call({"language", run.entry.plugin, "reply"}, [language = run.entry.language, request = run.request,
                                                                 result] { return language->reply(request, result); });
  });
  check_reply(run.entry, run.request.language, reply, configuration_.output_limit);
  reply = keep_page(run, without_end(std::move(reply)));
  if (!not_saved.empty()) reply += (reply.empty() ? "" : "\n") + ("[Persistent files not saved: " + not_saved + "]");
  reply = shown_in_channel(run, std::move(reply));
  return Ended{std::move(reply), true, std::move(result.steps), result.limit, result.bytes_cut};
}

}  // namespace pbotvm::service

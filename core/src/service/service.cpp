// SPDX-License-Identifier: MIT
#include "service/service.h"

#include <Poco/Logger.h>
#include <Poco/String.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <stop_token>
#include <utility>

#include "pbotvm/reply_text.h"
#include "service/client_files.h"
#include "service/pastes.h"
#include "service/plan_check.h"
#include "service/shown_name.h"

namespace pbotvm::service {

namespace {

constexpr std::uint32_t default_open_files = 256;
constexpr std::chrono::seconds warm_up_wall{60};         // the first run of a compiler reads it from the disk
constexpr std::chrono::minutes progress_patience{10};    // only how often the wait is taken up again
constexpr std::size_t most_of_a_failure = 1000;          // bytes of what a plug-in says of its own failure
constexpr std::size_t most_left_behind = 64;             // as docs/protocol.md bounds them
constexpr const char* history_file = "history.db";       // below STATE, the host's working directory
constexpr const char* persistent_directory = "persist";  // below STATE, the host's working directory, likewise:
constexpr const char* paste_directory = "paste";

Poco::Logger& log() {
  return Poco::Logger::get("service");
}

// Ends a request early: its last event.
struct Refused {
  Failed event;
};

[[noreturn]] void refuse(const std::string& code, const std::string& text) {
  throw Refused{failure(code, text)};
}

// Before its job was begun: the client's wish, or what it said that it must not.
void refuse_if_cancelled(const RequestControl& control) {
  if (const auto wrong = control.refusal(); !wrong.empty()) refuse("bad-request", wrong);
  if (control.cancelled()) refuse("cancelled", "The request was cancelled before its job was begun.");
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

template <typename Number>
void lower_to(Number& value, Number bound) {
  value = value == Number{} ? bound : std::min(value, bound);
}

Plan plan_of(plugin::PatientGuard& guard, const CatalogueEntry& entry, const Request& request) {
  return guard.call({"language", entry.plugin, "plan"},
                    [language = entry.language, request] { return language->plan(request); });
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

// What a language's plug-in does wrong ends the request with its name.
[[noreturn]] void refuse_for_language(const CatalogueEntry& entry, const std::string& name, std::string why) {
  why.resize(std::min(why.size(), most_of_a_failure));
  const std::string text =
      "Language '" + name + "' failed in its plug-in language-" + entry.plugin + ".so: " + printable(why);
  log().error(text);
  refuse("language-failed", text);
}

template <typename Function>
auto of_language(const CatalogueEntry& entry, const std::string& name, Function function) {
  try {
    return function();
  } catch (const std::exception& e) {
    const std::string why = e.what(), call = "language " + entry.plugin + ": ";  // which the text names in its own way
    refuse_for_language(entry, name, why.starts_with(call) ? why.substr(call.size()) : why);
  }
}

void check_reply(const CatalogueEntry& entry, const std::string& name, std::string_view reply, std::uint64_t limit) {
  if (const auto flaw = flaw_of_reply(reply, limit); !flaw.empty()) refuse_for_language(entry, name, flaw);
}

void check_plan(const CatalogueEntry& entry, const Request& request, const Job& job) {
  const auto flaw = flaw_of_plan(job, request);
  if (flaw.text.empty()) return;
  if (!flaw.of_request) refuse_for_language(entry, request.language, flaw.text);
  log().warning("language=%s refused: %s", request.language, flaw.text);
  refuse("bad-request", "Invalid request: " + printable(flaw.text) + "; send shorter or fewer arguments, without NUL.");
}

// A client's file may stand nowhere where the language has one.
void add_client_files(const ClientRequest& client, const std::string& language, Job& job) {
  for (const auto& file : client.files) {
    const auto same = [&file](const JobFile& own) { return own.path == file.path; };
    if (std::any_of(job.files.begin(), job.files.end(), same)) {
      refuse("bad-request", "Invalid request: the file '" + printable(file.path) +
                                "' has the name of the file that language '" + language +
                                "' makes of the code; give it another one.");
    }
  }
  job.files.insert(job.files.end(), client.files.begin(), client.files.end());
}

bool is_below(const std::string& path, const std::string& directory) {
  return path == directory || (path.starts_with(directory) && path[directory.size()] == '/');
}

// What of the files below the key did not come back, or may not have; empty when all did. Half of them must never
// replace what is kept.
std::string missing_of(const std::vector<LeftBehind>& left_behind, const std::string& key, bool others_wanted) {
  if (left_behind.size() >= most_left_behind) return "too many files could not be taken back";
  for (const auto& left : left_behind) {
    // A search that was given up may have missed any file; guests name a place above the key then, or say so.
    const bool search = left.path == "." || left.path == "..." || left.why.starts_with("not searched");
    if (!others_wanted || search || is_below(left.path, key)) return "'" + left.path + "': " + left.why;
  }
  return {};
}

// Rather than refused something, with which it went on.
bool was_ended(Limit limit) {
  return limit != Limit::none && limit != Limit::processes && limit != Limit::file_size;
}

std::string seconds_text(std::chrono::milliseconds duration) {
  std::string text = std::to_string(duration.count() / 1000);
  if (duration.count() % 1000 != 0) text += "." + std::to_string(duration.count() % 1000 + 1000).substr(1);
  return text + " s";
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

void fill_limits(const config::Configuration& configuration, Limits& limits) {
  lower_to(limits.wall, configuration.timeout);
  lower_to(limits.cpu, configuration.timeout);
  lower_to(limits.output, configuration.output_limit);
  lower_to(limits.memory, configuration.memory_limit);
  lower_to(limits.processes, configuration.process_limit);
  lower_to(limits.file_size, configuration.file_limit);
  lower_to(limits.open_files, default_open_files);
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
  auto answer = history_->apply(run.client.channel, run.entry.names.front(), run.client.code);
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
    return Ended{keep_page(run, without_end(printable(reply->text)))};
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
  if (!asks_for_paste(run.request.code)) return;
  if (!pastes_) refuse("bad-request", "Invalid request: -paste needs a running pbotvm-host, which keeps the page.");
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

// The files of the persist-key go with the job, and come back with its result.
void Service::bring_kept_files(Run& run, Job& job) {
  const std::string& key = run.client.persist_key;
  if (key.empty()) return;
  job.persist_key = key;
  for (const auto& file : job.files) {
    if (is_below(file.path, key)) {
      refuse("bad-request", "Invalid request: the file '" + printable(file.path) +
                                "' stands where the persistent files of '" + key + "' are; choose another name.");
    }
  }
  run.kept = persistent_.lease(key, Deadline::in(configuration_.queue_timeout), run.control.stop_token());
  refuse_if_cancelled(run.control);
  if (!run.kept) {
    refuse("persist-key-busy", "The persistent files of '" + key +
                                   "' are in use by another job, which did not end within " +
                                   seconds_text(configuration_.queue_timeout) + "; try again soon.");
  }
  if (!speaks_frames(run.machine)) return;
  std::vector<JobFile> files;
  try {
    files = persistent_.load(*run.kept);
  } catch (const Error& e) {
    log().error("persistent files of '%s': %s", key, std::string(e.what()));
    const bool damaged = e.code() == ErrorCode::protocol;
    refuse("persist-failed",
           "The persistent files of '" + key + "' cannot be read" +
               (damaged ? ": their archive is damaged. The host has put it aside; the next job begins "
                          "without files."
                        : "; the host's log says why."));
  }
  for (auto& file : files) {
    file.path = key + "/" + file.path;
    job.files.push_back(std::move(file));
  }
  job.directories.push_back(key);
  job.collection.patterns.push_back(key + "/**");
  job.collection.files = std::min<std::uint32_t>(
      job.collection.files + static_cast<std::uint32_t>(PersistentFiles::max_files), protocol::max_collected_files);
  job.collection.bytes =
      std::min<std::uint64_t>(job.collection.bytes + configuration_.persist_limit, protocol::max_collected_bytes);
}

machine::Outcome Service::execute(Run& run, Job job) {
  refuse_if_cancelled(run.control);
  const bool progress = run.audience.wants_progress();
  std::vector<std::string> labels;
  for (const auto& step : job.steps) labels.push_back(step.label);
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
  return Ended{std::move(reply), true, std::move(result.steps), result.limit, result.bytes_cut};
}

// The files that came back: those of the persist-key are kept, the others are the client's. Returns why the former were
// not; empty when all is well.
std::string Service::hand_out(Run& run, Result& result) {
  const std::string& key = run.client.persist_key;
  std::vector<JobFile> files = std::exchange(result.files, {}), kept;
  const auto first_kept = std::stable_partition(
      files.begin(), files.end(), [&key](const JobFile& file) { return key.empty() || !is_below(file.path, key); });
  const bool replaced = std::any_of(first_kept, files.end(), [&key](const JobFile& file) { return file.path == key; });
  for (auto file = first_kept; file != files.end(); ++file) {
    file->path.erase(0, std::min(key.size() + 1, file->path.size()));
    kept.push_back(std::move(*file));
  }
  files.erase(first_kept, files.end());
  const std::string why = replaced ? "'" + key + "' is a file, and must be a directory" : save_kept(run, result, kept);
  run.kept.reset();  // the next job of this key need not wait for a slow client

  std::uint64_t bytes = 0;
  std::uint32_t count = 0;
  for (auto& file : files) {
    bytes += file.content.size();
    // The guest was told the bounds; a guest is not to be trusted.
    if (bytes > configuration_.collect_limit || ++count > configuration_.collect_files) {
      run.audience.take(LeftBehind{file.path, "more than the host takes back"});
    } else {
      run.audience.take(std::move(file));
    }
  }
  for (const auto& left : result.left_behind) {
    if (key.empty() || !is_below(left.path, key)) run.audience.take(left);
  }
  if (!why.empty()) run.audience.take(NotSaved{key, why});
  return why;
}

std::string Service::save_kept(Run& run, const Result& result, const std::vector<JobFile>& files) {
  if (!run.kept || !speaks_frames(run.machine)) return {};
  if (was_ended(result.limit)) return "the job did not come to its end";
  if (!result.collected) return "the guest did not send them";
  if (const auto why = missing_of(result.left_behind, run.kept->key(), !run.client.outputs.empty()); !why.empty()) {
    return printable(why);
  }
  try {
    persistent_.save(*run.kept, files);
  } catch (const Error& e) {
    log().warning("persistent files of '%s': %s", run.kept->key(), std::string(e.what()));
    return e.code() == ErrorCode::refused ? e.what() : "the host could not write them; its log says why";
  }
  return {};
}

std::vector<machine::WarmUp> warm_up_jobs(const config::Configuration& configuration, const Catalogue& catalogue,
                                          plugin::PatientGuard& guard) {
  const auto* usual = catalogue.find(configuration.language);
  std::vector<const CatalogueEntry*> entries;
  for (const auto& entry : catalogue.entries()) entries.push_back(&entry);
  std::stable_partition(entries.begin(), entries.end(), [&](const auto* entry) { return entry == usual; });
  std::set<std::set<std::string>> seen;
  std::vector<machine::WarmUp> jobs;
  for (const auto* entry : entries) {
    const std::string& name = entry->names.front();
    if (!seen.emplace(entry->tools.begin(), entry->tools.end()).second) continue;
    try {
      Request request;
      request.language = name;
      request.code =
          guard.call({"language", entry->plugin, "hello"}, [language = entry->language] { return language->hello(); });
      if (const auto flaw = flaw_of_hello(request.code); !flaw.empty()) throw Error(ErrorCode::plugin, flaw);
      auto plan = plan_of(guard, *entry, request);
      if (auto* job = std::get_if<Job>(&plan)) {
        if (const auto flaw = flaw_of_plan(*job, request); !flaw.text.empty())
          throw Error(ErrorCode::plugin, flaw.text);
        fill_limits(configuration, job->limits);
        job->limits.wall = warm_up_wall;
        job->limits.cpu = warm_up_wall;
        job->language = name;
        // What runs after a crash only, such as a debugger, is to be in the machine's memory just as well.
        for (Step& step : job->steps) step.when = step.when == When::after_crash ? When::always : step.when;
        jobs.push_back({std::move(*job), entry->tools});
      }
    } catch (const std::exception& e) {
      log().warning("language %s: its hello program is passed over: %s", name, std::string(e.what()));
    }
  }
  const auto first = jobs.begin() + (usual != nullptr && !jobs.empty() ? 1 : 0);
  std::stable_sort(first, jobs.end(),
                   [](const auto& a, const auto& b) { return a.job.steps.size() < b.job.steps.size(); });
  return jobs;
}

}  // namespace pbotvm::service

// SPDX-License-Identifier: MIT
#include "service/plan_check.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "protocol/messages.h"
#include "service/catalogue.h"
#include "service/client_files.h"
#include "service/client_request.h"
#include "service/shown_name.h"
#include "service/utf8.h"

namespace pbotvm::service {

namespace {

// What a byte of output becomes at most when it is shown ("*DING*"), and room for what a language says itself.
constexpr std::uint64_t most_shown = 6;
constexpr std::uint64_t reply_room = 1u << 20;
constexpr std::size_t max_tool = 255;  // as a guest bounds the names of programs

// More than `bound` is never told exactly: what is counted may be endless.
std::string too_many(const std::string& what, std::size_t count, std::size_t bound) {
  return what + ": " + std::to_string(count) + ", at most " + std::to_string(bound) + " are accepted";
}

std::string too_long(const std::string& what, std::uint64_t bytes, std::uint64_t bound) {
  return what + " has " + std::to_string(bytes) + " bytes, at most " + std::to_string(bound) + " are accepted";
}

std::size_t bytes_of(const Request& request) {
  return request.code.size() + request.input.size() + request.arguments.size();
}

bool has_nul(const Request& request) {
  return (request.code + request.arguments).find('\0') != std::string::npos;
}

std::string flaw_of_counts(const Job& job) {
  if (job.steps.empty()) return "its plan has no step";
  if (job.steps.size() > protocol::max_steps)
    return too_many("steps of its plan", job.steps.size(), protocol::max_steps);
  if (job.files.size() > protocol::max_job_files)
    return too_many("files of its plan", job.files.size(), protocol::max_job_files);
  if (job.directories.size() > protocol::max_job_files)
    return too_many("directories of its plan", job.directories.size(), protocol::max_job_files);
  std::uint64_t bytes = job.input.size();
  for (const auto& file : job.files) bytes += file.content.size();
  if (bytes > protocol::max_file_bytes)
    return too_long("what its plan writes to files", bytes, protocol::max_file_bytes);
  return {};
}

std::string flaw_of_files(const Job& job) {
  for (const auto& file : job.files) {
    if (const auto flaw = path_flaw(file.path); !flaw.empty())
      return "the file " + in_quotes(file.path) + " of its plan " + flaw;
  }
  try {
    check_tree(job.files, "of its plan, the file ");
  } catch (const RequestError& error) {
    return error.what();
  }
  return {};
}

// Words can be a request's own: its arguments and options.
PlanFlaw flaw_of_words(const Step& step, const Request& request) {
  if (step.argv.empty() || step.argv.front().empty()) return {"a step of its plan names no program"};
  if (step.when < When::always || step.when > When::after_crash)
    return {"a step of its plan says of no known moment when it is to run"};
  if (step.argv.size() > protocol::max_arguments)
    return {too_many("words of a command", step.argv.size(), protocol::max_arguments),
            bytes_of(request) >= protocol::max_arguments};
  if (step.environment.size() > protocol::max_arguments)
    return {too_many("variables of a step of its plan", step.environment.size(), protocol::max_arguments)};
  for (const auto& word : step.argv) {
    if (word.size() > protocol::max_argument)
      return {too_long("a word of a command", word.size(), protocol::max_argument),
              bytes_of(request) >= protocol::max_argument};
    if (word.find('\0') != std::string::npos) return {"a word of a command contains a NUL", has_nul(request)};
  }
  return {};
}

// Everything that the job's message holds, without the content of files.
std::size_t message_bytes(const Job& job) {
  std::size_t bytes = 0;
  for (const auto& step : job.steps) {
    bytes += step.label.size();
    for (const auto& word : step.argv) bytes += word.size();
    for (const auto& [name, value] : step.environment) bytes += name.size() + value.size();
  }
  for (const auto& file : job.files) bytes += file.path.size();
  for (const auto& path : job.directories) bytes += path.size();
  for (const auto& pattern : job.collection.patterns) bytes += pattern.size();
  return bytes;
}

// The rest, as the guest would find it.
std::string flaw_of_message(const Job& job) {
  try {
    protocol::decode_job(protocol::encode(job));
  } catch (const protocol::MessageError& error) {
    return std::string("its plan: ") + error.what();
  }
  return {};
}

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= max_language_name &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+#_.-") == std::string::npos;
}

bool is_tool(const std::string& tool) {
  return !tool.empty() && tool.size() <= max_tool &&
         std::all_of(tool.begin(), tool.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string flaw_of_line(const std::string& what, const std::string& text, std::size_t bound) {
  if (text.size() > bound) return too_long(what, text.size(), bound);
  if (find_invalid_utf8(text) != text.npos) return what + " is not UTF-8";
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (std::any_of(text.begin(), text.end(), is_control)) return what + " has a control character, such as a line's end";
  return {};
}

std::string flaw_of_lines(const std::string& what, const std::vector<std::string>& texts,
                          std::size_t most = max_facts) {
  if (texts.size() > most) return too_many(what, texts.size(), most);
  for (const auto& text : texts) {
    if (auto flaw = flaw_of_line(what, text, max_fact); !flaw.empty()) return flaw;
  }
  return {};
}

}  // namespace

PlanFlaw flaw_of_plan(const Job& job, const Request& request) {
  if (auto flaw = flaw_of_counts(job); !flaw.empty()) return {std::move(flaw)};
  for (const auto& step : job.steps) {
    if (auto flaw = flaw_of_words(step, request); !flaw.text.empty()) return flaw;
  }
  const bool large_request = bytes_of(request) >= protocol::max_argument;
  if (const auto bytes = message_bytes(job); bytes > protocol::max_message)
    return {too_long("all commands of a job together", bytes, protocol::max_message), large_request};
  if (auto flaw = flaw_of_files(job); !flaw.empty()) return {std::move(flaw)};
  if (auto flaw = flaw_of_message(job); !flaw.empty()) return {std::move(flaw), large_request};
  return {};
}

std::string flaw_of_reply(std::string_view reply, std::uint64_t output_limit) {
  const std::uint64_t bound = output_limit * most_shown + reply_room;
  if (reply.size() > bound) return too_long("its reply", reply.size(), bound);
  const auto at = find_invalid_utf8(reply);
  if (at != reply.npos) return "its reply is not UTF-8, at byte " + std::to_string(at);
  return {};
}

std::string flaw_of_language(const std::vector<std::string>& names, const std::vector<std::string>& tools) {
  if (names.size() > max_language_names) return too_many("names", names.size(), max_language_names);
  for (const auto& name : names) {
    if (!is_name(name))
      return "the name " + in_quotes(name.substr(0, max_language_name)) +
             ": expected 1 to 64 of the characters a-z 0-9 + # _ . -";
  }
  if (tools.size() > max_language_tools) return too_many("tools", tools.size(), max_language_tools);
  for (const auto& tool : tools) {
    if (!is_tool(tool))
      return "the tool " + in_quotes(tool.substr(0, max_language_name)) +
             ": expected the name of a program, up to 255 printable ASCII characters without blanks";
  }
  return {};
}

std::string flaw_of_details(const LanguageDetails& details) {
  const auto& marks = details.marks;
  const std::pair<const char*, const std::string*> texts[] = {{"its file", &details.file},
                                                              {"its note", &details.note},
                                                              {"its origin", &details.origin},
                                                              {"its comment mark", &marks.begin},
                                                              {"its comment mark", &marks.end}};
  for (const auto& [what, text] : texts) {
    const bool is_mark = text == &marks.begin || text == &marks.end;
    if (auto flaw = flaw_of_line(what, *text, is_mark ? max_comment_mark : max_fact); !flaw.empty()) return flaw;
  }
  if (auto flaw = flaw_of_lines("its default option", details.options); !flaw.empty()) return flaw;
  if (auto flaw = flaw_of_lines("its rule for options", details.option_rules, max_option_rules); !flaw.empty())
    return flaw;
  for (const auto& [distribution, packages] : details.packages) {
    if (auto flaw = flaw_of_lines("its package of " + distribution, packages); !flaw.empty()) return flaw;
  }
  if (details.stdin_program.size() > max_hello)
    return too_long("its stdin program", details.stdin_program.size(), max_hello);
  if (find_invalid_utf8(details.stdin_program) != std::string::npos) return "its stdin program is not UTF-8";
  return {};
}

std::string flaw_of_hello(std::string_view hello) {
  if (hello.size() > max_hello) return too_long("its hello program", hello.size(), max_hello);
  if (find_invalid_utf8(hello) != hello.npos) return "its hello program is not UTF-8";
  return {};
}

}  // namespace pbotvm::service

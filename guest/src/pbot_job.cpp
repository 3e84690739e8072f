// SPDX-License-Identifier: MIT
#include "pbot_job.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace pbotvm::guest {
namespace {

using std::chrono::milliseconds;

// PBot's own bounds of a job, and of its output what its host takes without trouble.
constexpr milliseconds cpu_limit{8000};
constexpr std::uint64_t file_limit = 2000 * 1024;
constexpr std::uint64_t compiler_file_limit = 64 << 20;
constexpr std::uint32_t process_limit = 200;
constexpr std::uint64_t output_limit = 2 << 20;

constexpr const char* with_statement = ".pbot-last-statement";  // the source as it came, see plan_c
constexpr std::string_view statement_call = "print_last_statement(";
constexpr std::string_view blanks = " \t\r\n\v\f";

enum class Kind { script, c, java };

// The languages of PBot's guest whose command compiles.
Kind kind_of(std::string_view language) {
  static constexpr std::string_view compiled[] = {"c++",    "cpp",     "clang++",   "clangpp",
                                                  "tendra", "haskell", "freebasic", "qbasic"};
  if (language == "java") return Kind::java;
  if (std::find(std::begin(compiled), std::end(compiled), language) != std::end(compiled)) return Kind::c;
  const bool clang = language.starts_with("clang");
  if (!language.starts_with('c')) return Kind::script;
  const std::string_view standard = language.substr(clang ? 5 : 1);  // "", "89", "11", "2x"
  const bool standard_only = standard.find_first_not_of("0123456789x") == standard.npos;
  return standard_only && (clang || !standard.empty()) ? Kind::c : Kind::script;
}

bool opens_quote(std::string_view text, std::size_t at) {
  static constexpr std::string_view before = " \t\r\n\v\f:{([.+=";
  return (text[at] == '\'' || text[at] == '"') && (at == 0 || before.find(text[at - 1]) != before.npos);
}

bool closes_quote(std::string_view text, std::size_t at, char quote) {
  static constexpr std::string_view behind = " \t\r\n\v\f,:;})].+=";
  return text[at] == quote && (at + 1 == text.size() || behind.find(text[at + 1]) != behind.npos);
}

// Where the quotation ends that begins before `at`; npos where it does not.
std::size_t find_close(std::string_view text, std::size_t at, char quote) {
  for (; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (closes_quote(text, at, quote)) {
      return at;
    }
  }
  return text.npos;
}

void append_unescaped(std::string& to, std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\' && ++at == text.size()) return;
    to += text[at];
  }
}

std::string shell_quoted(const std::string& word) {
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

Limits limits_of(milliseconds wall) {
  Limits limits;
  limits.wall = wall;
  limits.cpu = cpu_limit;
  limits.output = output_limit;
  limits.processes = process_limit;
  limits.file_size = file_limit;
  return limits;
}

Step make_step(const char* label, std::vector<std::string> argv, bool reads_input) {
  Step step;
  step.label = label;
  step.argv = std::move(argv);
  step.reads_input = reads_input;
  step.when = When::after_success;
  return step;
}

void append(std::vector<std::string>& to, std::vector<std::string> words) {
  for (auto& word : words) to.push_back(std::move(word));
}

// One shell replaces itself by the program where the command is a simple one, so that the program's end is the step's.
void plan_script(const PbotRequest& request, Job& job) {
  std::string command = request.command;
  for (const auto& argument : split_pbot_words(request.arguments)) command += ' ' + shell_quoted(argument);
  job.steps.push_back(make_step("run", {"bash", "-c", command}, true));
}

// What a compiler writes may be longer than what a program may. 4000: in the blocks of 512 bytes of a POSIX shell.
void plan_program(const PbotRequest& request, Job& job, std::vector<std::string> program) {
  std::vector<std::string> run = {"sh", "-c", "ulimit -f 4000; exec \"$@\"", "sh"};
  append(run, std::move(program));
  append(run, split_pbot_words(request.arguments));
  job.steps.push_back(make_step("run", std::move(run), true));
  job.limits.file_size = compiler_file_limit;
}

std::vector<std::string> compile_words(const PbotRequest& request) {
  auto words = split_pbot_words(request.command);
  if (words.empty()) throw PbotError("Bad request: no 'cmdline'.");
  return words;
}

// PBot's host asks for the value of the last statement by print_last_statement(...); lines, as it writes them. Empty
// where there is none.
std::string without_last_statement(const std::string& code) {
  std::string plain;
  bool found = false;
  for (std::size_t begin = 0; begin < code.size();) {
    const std::size_t end = std::min(code.find('\n', begin), code.size());
    std::string line = code.substr(begin, end - begin);
    const std::size_t call = line.find(statement_call);
    if (call != line.npos && line.ends_with(");")) {
      found = true;
      line.erase(line.size() - 2, 1);
      line.erase(call, statement_call.size());
    }
    plain += line + '\n';
    begin = end + 1;
  }
  return found ? plain : std::string();
}

// Whether the options of gcc are its own.
bool is_gcc(const std::string& compiler) {
  const std::string name = compiler.substr(compiler.rfind('/') + 1);
  return name == "cc" || name.starts_with("gcc") || name.starts_with("clang");
}

// The compiler's messages are all that is wanted: nothing is assembled and linked.
std::vector<std::string> checking_only(const std::vector<std::string>& compile) {
  std::vector<std::string> check;
  for (std::size_t i = 0; i < compile.size(); ++i) {
    if (compile[i].starts_with("-l")) continue;
    if (compile[i] == "-o") {
      ++i;
    } else {
      check.push_back(compile[i]);
    }
  }
  append(check, {"-S", "-g0", "-o", "/dev/null"});
  return check;
}

// Messages are wanted for the program as its author wrote it, the program itself with what PBot's host has added to
// show the last statement. Where that cannot be compiled, the author's is, and its messages then are the ones that
// count.
void plan_c(const PbotRequest& request, Job& job) {
  static constexpr const char* build = R"(shown=$1 source=$2; shift 2
mv "$source" "$shown.plain"; mv "$shown" "$source"
"$@" >/dev/null 2>&1 || { mv "$shown.plain" "$source"; "$@"; })";
  const auto compile = compile_words(request);
  const std::string plain = without_last_statement(request.code);
  if (plain.empty() || !is_gcc(compile[0])) {
    if (!plain.empty()) job.files[0].content = plain;
    job.steps.push_back(make_step("compile", compile, false));
  } else {
    job.files.push_back({with_statement, std::exchange(job.files[0].content, plain), 0644});
    job.steps.push_back(make_step("compile", checking_only(compile), false));
    std::vector<std::string> words = {"sh", "-c", build, "sh", with_statement, request.source_file};
    append(words, compile);
    job.steps.push_back(make_step("compile", std::move(words), false));
  }
  plan_program(request, job, {"./" + request.exec_file});
}

void plan_java(const PbotRequest& request, Job& job) {
  job.steps.push_back(make_step("compile", compile_words(request), false));
  plan_program(request, job, {"java", request.exec_file});
}

// A compiler that is only asked for something builds no program.
bool only_asks(const std::string& command) {
  const auto words = split_pbot_words(command);
  return std::any_of(words.begin(), words.end(), [](const std::string& word) {
    return word == "--version" || word == "-version" || word.starts_with("--analyze");
  });
}

// ---- the result

std::string trimmed(std::string text) {
  text.erase(text.find_last_not_of(blanks) + 1);
  text.erase(0, text.find_first_not_of(blanks));
  return text;
}

std::string printed(const PbotOutcome& outcome, std::uint32_t step) {
  if (step >= outcome.output.size()) return {};
  const auto& [out, err] = outcome.output[step];
  return err.empty() || out.empty() ? err + out : err + ' ' + out;
}

const StepResult* find_step(const PbotOutcome& outcome, std::uint32_t index) {
  for (const auto& step : outcome.steps) {
    if (step.step == index) return &step;
  }
  return nullptr;
}

// A signal is told as a shell tells it.
int exit_status(const StepResult* step) {
  if (!step) return 0;
  return step->signal != 0 ? 128 + step->signal : step->exit_code;
}

std::string limit_text(Limit limit) {
  switch (limit) {
    case Limit::none:
      return {};
    case Limit::wall:
    case Limit::cpu:
      return "[Timed-out]";
    case Limit::memory:
      return "[Memory limit]";
    case Limit::processes:
      return "[Process limit]";
    case Limit::output:
      return "[Output cut at " + std::to_string(output_limit) + " bytes]";
    case Limit::file_size:
      return "[File size limit]";
    case Limit::cancelled:
      return "[Killed]";
  }
  return {};
}

void append_remark(std::string& text, const std::string& remark) {
  if (remark.empty()) return;
  if (!text.empty()) text += ' ';
  text += remark;
}

std::string silent_end(const PbotRequest& request, int status) {
  if (request.factoid) return {};
  return status == 0 ? "Success (no output)." : "Exit " + std::to_string(status) + ".";
}

// Whether the step came to an end that is its own.
bool ended_freely(const PbotOutcome& outcome) {
  return outcome.error.empty() && (outcome.limit == Limit::none || outcome.limit == Limit::processes);
}

void append_how_it_ended(std::string& text, const PbotOutcome& outcome) {
  append_remark(text, limit_text(outcome.limit));
  if (!outcome.error.empty()) append_remark(text, "[The job could not be run: " + outcome.error + "]");
}

// What the program, or a command that is all there is, printed and how it ended.
std::string program_text(const PbotRequest& request, const PbotOutcome& outcome, std::uint32_t index) {
  const StepResult* step = find_step(outcome, index);
  std::string text = printed(outcome, index);
  if (step && !step->error.empty()) {
    append_remark(text, "[" + step->error + "]");
  } else if (ended_freely(outcome)) {
    const int status = exit_status(step);
    const bool says_more = outcome.limit == Limit::processes && status == 0;
    if (text.empty() && !says_more) {
      text = silent_end(request, status);
    } else if (status != 0 && !text.empty()) {
      append_remark(text, "[Exit " + std::to_string(status) + "]");
    }
  }
  append_how_it_ended(text, outcome);
  return text;
}

// The compiler's messages when there is no program for them.
std::string failure_text(const PbotRequest& request, const PbotOutcome& outcome, std::uint32_t index) {
  const StepResult* step = find_step(outcome, index);
  std::string text = trimmed(printed(outcome, index));
  if (step && !step->error.empty()) append_remark(text, "[" + step->error + "]");
  if (text.empty() && ended_freely(outcome)) text = silent_end(request, exit_status(step));
  append_how_it_ended(text, outcome);
  return text;
}

}  // namespace

std::vector<std::string> split_pbot_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(std::exchange(word, {}));
  };
  bool never_closed[2] = {false, false};  // once one is not closed, no later one is: each text is searched once
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\\') {
      if (++at < text.size()) word += text[at];
      continue;
    }
    bool& hopeless = never_closed[c == '"'];
    if (opens_quote(text, at) && !hopeless) {
      const std::size_t close = find_close(text, at + 1, c);
      if (close != text.npos) {
        append_unescaped(word, text.substr(at + 1, close - at - 1));
        words.push_back(std::exchange(word, {}));  // also an empty one
        at = close;
        continue;
      }
      hopeless = true;
    }
    if (c == ' ') {
      end_word();
    } else {
      word += c;
    }
  }
  end_word();
  return words;
}

PbotPlan plan_pbot_job(const PbotRequest& request, milliseconds wall) {
  PbotPlan plan;
  Job& job = plan.job;
  job.language = request.language;
  job.files.push_back({request.source_file, request.code + '\n', 0644});
  if (!request.persist_key.empty()) job.directories.push_back(request.persist_key);
  job.limits = limits_of(wall);
  const Kind kind = kind_of(request.language);
  if (kind == Kind::script) plan_script(request, job);
  if (kind == Kind::c) plan_c(request, job);
  if (kind == Kind::java) plan_java(request, job);
  if (kind != Kind::script && only_asks(request.command)) job.steps.resize(1);
  if (!request.input.empty() || kind != Kind::script) job.input = request.input + '\n';
  plan.compile_steps = static_cast<std::uint32_t>(job.steps.size() - 1);
  return plan;
}

std::string pbot_result(const PbotRequest& request, const PbotPlan& plan, const PbotOutcome& outcome) {
  const std::uint32_t program = plan.compile_steps;
  if (program == 0) return program_text(request, outcome, 0);
  std::string messages;
  for (std::uint32_t index = 0; index < program; ++index) {
    const StepResult* compiled = find_step(outcome, index);
    if (!compiled || !compiled->error.empty() || exit_status(compiled) != 0) {
      return failure_text(request, outcome, index);
    }
    std::string printed_now = trimmed(printed(outcome, index));
    if (!printed_now.empty()) messages = std::move(printed_now);
  }
  const std::string text = program_text(request, outcome, program);
  if (text.empty() || messages.empty()) return text;
  return "[" + messages + "]\n" + text;
}

std::string encode_pbot_result(const std::string& text) {
  const bool ends = !text.empty() && text.back() == '\n';
  const nlohmann::json result = {{"result", ends ? text : text + '\n'}};
  return "result:" + result.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\nresult:end\n";
}

}  // namespace pbotvm::guest

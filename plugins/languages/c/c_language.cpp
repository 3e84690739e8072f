// SPDX-License-Identifier: MIT
#include "c_language.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "c_diagnostics.h"
#include "c_wrap.h"
#include "compiler_options.h"
#include "helpers.h"
#include "hidden_macros.h"
#include "pbotvm/reply_text.h"
#include "sanitizer_messages.h"

namespace pbotvm::c {

namespace {

constexpr std::uint32_t compile_step = 0;
constexpr std::uint32_t run_step = 1;
constexpr std::uint32_t explain_step = 2;

// A request's options, those for the compiler apart from those for the wrapping.
struct Parsed {
  CodeOptions common;
  WrapOptions wrap;
};

// What the compiler is told and the wrapping has to know.
void read_compiler_option(const std::vector<std::string>& given, std::size_t at, WrapOptions& wrap) {
  const std::string_view option = given[at];
  if (option == "-nostdlib" || option == "-nodefaultlibs" || option == "-nostartfiles") wrap.library = false;
  const bool apart = at > 0 && given[at - 1] == "-D";
  if (!apart && !option.starts_with("-D")) return;
  const std::string_view name = defined_name(apart ? option : option.substr(2));
  if (!name.empty()) wrap.macros.emplace_back(name);
}

Parsed parse(const Request& request, const Dialect& dialect, const ToolOptions& allowed) {
  Parsed parsed{parse_code_options(request, true, allowed.with_value()), {}};
  parsed.wrap.cplusplus = dialect.cplusplus;
  parsed.wrap.value = !request.factoid;  // where nothing printed is to be nothing
  std::vector<std::string> compiler;
  const std::vector<std::string>& given = parsed.common.tool_options;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i] == "-nomain") {
      parsed.wrap.main = false;
    } else if (given[i] == "-noheaders") {
      parsed.wrap.headers = false;
    } else if (given[i] == "-include" && i + 1 < given.size()) {
      parsed.wrap.includes.push_back(given[++i]);
    } else {
      read_compiler_option(given, i, parsed.wrap);
      compiler.push_back(given[i]);
    }
  }
  parsed.common.tool_options = std::move(compiler);
  return parsed;
}

// Which precompiled headers fit: gcc ends in an internal error where an inline function of one has checks that the
// job's options do not ask for, or the other way round. guest/setup/precompile makes them with "1" and without.
std::string sanitized(const std::vector<std::string>& command) {
  std::string value;
  for (const std::string& word : command) {
    if (word.starts_with("-fno-sanitize")) return "0";  // whatever is left then
    if (word.starts_with("-fsanitize=")) value = "1";
  }
  return value;
}

bool one_line(const Parsed& parsed) {
  return parsed.common.code.find('\n') == std::string::npos;
}

bool ran(const Result& result, std::uint32_t step) {
  return std::any_of(result.steps.begin(), result.steps.end(), [&](const StepResult& s) { return s.step == step; }) ||
         std::any_of(result.output.begin(), result.output.end(), [&](const OutputChunk& c) { return c.step == step; });
}

// The result of compiling and running, with the sanitizer's messages as the author is to see them.
Result without_explanation(const Result& result, std::string_view file, bool one_line) {
  Result plain = result;
  std::erase_if(plain.steps, [](const StepResult& s) { return s.step == explain_step; });
  // A limit that struck behind the program's end is the debugger's; the program's own stands in its step.
  const bool ended =
      std::any_of(plain.steps.begin(), plain.steps.end(), [](const auto& s) { return s.step == run_step; });
  if (ended && plain.limit != Limit::cancelled) plain.limit = Limit::none;
  const std::string text = sanitizer_messages(stream_of(result, run_step, Stream::err), file, one_line);
  std::erase_if(plain.output, [](const OutputChunk& c) {
    return c.step == explain_step || (c.step == run_step && c.stream == Stream::err);
  });
  if (!text.empty()) plain.output.push_back({run_step, Stream::err, text});
  return plain;
}

// Somebody's wish rather than a mistake: there is nothing to explain.
bool was_killed(const Result& result) {
  return std::any_of(result.steps.begin(), result.steps.end(),
                     [](const StepResult& s) { return s.step == run_step && s.signal == SIGKILL; });
}

// Behind what the program printed, instead of its exit code.
void tell_crash(Result& plain, const std::string& text) {
  for (StepResult& step : plain.steps)
    if (step.step == run_step) step.signal = 0;
  const std::string printed = stream_of(plain, run_step, Stream::out);
  const bool open_line = !printed.empty() && printed.back() != '\n';
  plain.output.push_back({run_step, Stream::out, (open_line ? "\n" : "") + text});
}

// A paste has room for them; else they are shown to who asks for them.
bool wants_carets(const CodeOptions& options) {
  return options.paste || std::any_of(options.tool_options.begin(), options.tool_options.end(), [](const auto& option) {
           return option == "-fdiagnostics-show-caret" || option == "-fcaret-diagnostics";
         });
}

}  // namespace

CLanguage::CLanguage(std::string_view name) : dialect_(dialect(name)), allowed_(c::option_rules()) {}

std::vector<std::string> CLanguage::aliases() const {
  if (dialect_.other_name.empty()) return {};
  return {std::string(dialect_.other_name)};
}

std::vector<std::string> CLanguage::tools() const {
  return {std::string(dialect_.compiler()), "as", "ld"};
}

std::string CLanguage::hello() const {
  return dialect_.cplusplus ? "int main() { std::cout << \"hello\\n\"; }"
                            : "int main(void) { puts(\"hello\"); return 0; }";
}

std::vector<std::string> CLanguage::packages(std::string_view distribution) const {
  return dialect_.packages(distribution);
}

std::string CLanguage::stdin_program() const {
  return dialect_.cplusplus ? "int main() { std::cout << std::cin.rdbuf(); }"
                            : "int main(void) { int c; while ((c = getchar()) != EOF) putchar(c); return 0; }";
}

std::string CLanguage::note() const {
  return dialect_.cplusplus ? "statements need no main and no headers, and std:: may be left out"
                            : "statements need no main and no headers";
}

void* CLanguage::extension(std::string_view wanted) {
  if (wanted == LanguageOptions::identifier) return static_cast<LanguageOptions*>(this);
  return wanted == LanguageFacts::identifier ? static_cast<LanguageFacts*>(this) : nullptr;
}

Plan CLanguage::plan(const Request& request) const {
  const CodeOptions given = parse_code_options(request, true, allowed_.with_value());
  std::string refusal = allowed_.refusal(name(), given.tool_options);
  if (!refusal.empty()) return ImmediateReply{std::move(refusal)};

  Parsed parsed = parse(request, dialect_, allowed_);
  CodeOptions& options = parsed.common;
  // What is pasted has room for the lines that the compiler speaks of.
  if (options.paste && options.tool_options.empty()) options.tool_options = dialect_.default_options(true);
  std::vector<std::string> compile = dialect_.compile_command(options.tool_options);
  parsed.wrap.sanitized = sanitized(compile);
  if (options.info) return ImmediateReply{request.language + " cmdline: " + quote_words(compile)};
  if (options.code.empty()) return ImmediateReply{usage_text()};

  const bool helped = uses_helpers(options.code);
  if (helped) {
    parsed.wrap.prologue = helpers_prologue();
    parsed.wrap.value = false;  // a helper has none, and what it answers is no output of the program
  }
  Job job;
  job.files.push_back({file(), wrap(options.code, parsed.wrap).source});
  Step build;
  build.label = "compile";
  build.argv = std::move(compile);
  build.environment = {{"LC_ALL", "C"}};  // plain quotes in messages, whatever the guest is set to
  build.when = When::always;
  Step run;
  run.label = "run";
  run.argv = {"./prog"};
  run.argv.insert(run.argv.end(), options.arguments.begin(), options.arguments.end());
  run.environment = run_environment();
  run.reads_input = true;
  run.when = When::after_success;
  job.steps = {std::move(build), std::move(run), crash_step(crash_marks_.mark_of(request.code))};
  if (helped) run_with_helpers(job, run_step, options.code, dialect_.source());
  job.input = std::move(options.input);
  return job;
}

std::string CLanguage::reply(const Request& request, const Result& result) const {
  const Parsed parsed = parse(request, dialect_, allowed_);
  std::string messages;
  for (const std::string& notice : wrap(parsed.common.code, parsed.wrap).notices) messages += notice + '\n';
  messages += compiler_messages(output_of(result, compile_step), {dialect_.source(), one_line(parsed), true,
                                                                  wants_carets(parsed.common), parsed.common.code});
  messages.erase(messages.find_last_not_of('\n') + 1);
  if (!ran(result, run_step)) return failure_reply(result, messages);
  if (!messages.empty()) messages = '[' + messages + ']';
  Result plain = without_explanation(result, dialect_.source(), one_line(parsed));
  const std::string crash = crash_text(result, run_step, explain_step, {dialect_.source(), parsed.common.code},
                                       crash_marks_.mark_of(request.code));
  if (!crash.empty() && !was_killed(result)) tell_crash(plain, crash);
  return program_reply(request, plain, messages);
}

}  // namespace pbotvm::c

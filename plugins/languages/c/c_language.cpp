// SPDX-License-Identifier: MIT
#include "c_language.h"

#include <algorithm>
#include <utility>

#include "c_messages.h"

namespace pbotvm::c {

namespace {

constexpr std::uint32_t compile_step = 0;
constexpr std::uint32_t run_step = 1;

// A request's options, those for the compiler apart from those for the wrapping.
struct Parsed {
  CodeOptions common;
  WrapOptions wrap;
};

Parsed parse(const Request& request) {
  Parsed parsed{parse_code_options(request, true, {"-include", "-D", "-U", "-I", "-L", "-l"}), {}};
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
      compiler.push_back(given[i]);
    }
  }
  parsed.common.tool_options = std::move(compiler);
  return parsed;
}

bool one_line(const Parsed& parsed) {
  return parsed.common.code.find('\n') == std::string::npos;
}

bool ran(const Result& result, std::uint32_t step) {
  return std::any_of(result.steps.begin(), result.steps.end(), [&](const StepResult& s) { return s.step == step; }) ||
         std::any_of(result.output.begin(), result.output.end(), [&](const OutputChunk& c) { return c.step == step; });
}

// The result with the sanitizer's messages as the author is to see them.
Result with_plain_runtime_messages(const Result& result) {
  Result plain = result;
  const std::string text = runtime_messages(stream_of(result, run_step, Stream::err), true);
  std::erase_if(plain.output, [](const OutputChunk& c) { return c.step == run_step && c.stream == Stream::err; });
  if (!text.empty()) plain.output.push_back({run_step, Stream::err, text});
  return plain;
}

}  // namespace

CLanguage::CLanguage(std::string standard) : standard_(std::move(standard)) {}

std::vector<std::string> CLanguage::default_options() const {
  std::vector<std::string> options = {"-Wextra",
                                      "-Wall",
                                      "-Wno-unused-parameter",
                                      "-Wno-unused-variable",
                                      "-pedantic",
                                      "-Wfloat-equal",
                                      "-Wshadow",
                                      "-std=" + standard_,
                                      "-lm",
                                      "-Wfatal-errors",
                                      "-fsanitize=alignment,undefined"};
  if (standard_ == "c11" || standard_ == "c2x") {
    options.push_back("-fsanitize-address-use-after-scope");
    options.push_back("-fno-omit-frame-pointer");
  }
  options.push_back("-fno-diagnostics-show-caret");
  return options;
}

std::vector<std::string> CLanguage::compile_command(const std::vector<std::string>& options) const {
  std::vector<std::string> argv = {"gcc", "-gdwarf-2", "-g3", std::string(source_name)};
  const std::vector<std::string> used = options.empty() ? default_options() : options;
  argv.insert(argv.end(), used.begin(), used.end());
  argv.insert(argv.end(), {"-o", "prog"});
  return argv;
}

Plan CLanguage::plan(const Request& request) const {
  Parsed parsed = parse(request);
  CodeOptions& options = parsed.common;
  std::vector<std::string> compile = compile_command(options.tool_options);
  if (options.info) return ImmediateReply{request.language + " cmdline: " + quote_words(compile)};
  if (options.paste) return ImmediateReply{paste_text()};
  if (options.code.empty()) return ImmediateReply{usage_text()};

  Job job;
  job.files.push_back({std::string(source_name), wrap(options.code, parsed.wrap).source});
  Step build;
  build.label = "compile";
  build.argv = std::move(compile);
  build.environment = {{"LC_ALL", "C"}};  // plain quotes in messages, whatever the guest is set to
  build.when = When::always;
  Step run;
  run.label = "run";
  run.argv = {"./prog"};
  run.argv.insert(run.argv.end(), options.arguments.begin(), options.arguments.end());
  run.reads_input = true;
  run.when = When::after_success;
  job.steps = {std::move(build), std::move(run)};
  job.input = std::move(options.input);
  return job;
}

std::string CLanguage::reply(const Request& request, const Result& result) const {
  const Parsed parsed = parse(request);
  std::string messages;
  for (const std::string& notice : wrap(parsed.common.code, parsed.wrap).notices) messages += notice + '\n';
  messages += compiler_messages(output_of(result, compile_step), one_line(parsed));
  messages.erase(messages.find_last_not_of('\n') + 1);
  if (!ran(result, run_step)) return failure_reply(result, messages);
  if (!messages.empty()) messages = '[' + messages + ']';
  return one_line(parsed) ? program_reply(request, with_plain_runtime_messages(result), messages)
                          : program_reply(request, result, messages);
}

}  // namespace pbotvm::c

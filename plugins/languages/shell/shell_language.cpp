// SPDX-License-Identifier: MIT
#include "shell_language.h"

#include <utility>

#include "pbotvm/reply_text.h"

namespace pbotvm::shell {

namespace {

// Those of set(1), alone and as people join them. Not -c, -i and -s: the code is a script's.
std::vector<std::string> allowed_options(const std::string& shell) {
  std::vector<std::string> rules = {"-a",  "-b",  "-C",  "-e",  "-f",  "-h",  "-m",   "-n",    "-u",     "-v",  "-x",
                                    "-eu", "-ex", "-ux", "-xe", "-vx", "-xv", "-eux", "-eo *", "-euo *", "-o *"};
  if (shell == "bash") rules.insert(rules.end(), {"-B", "-E", "-H", "-k", "-p", "-P", "-T", "-O *", "--posix"});
  return rules;
}

}  // namespace

ShellLanguage::ShellLanguage(std::string name) : name_(std::move(name)), allowed_(allowed_options(name_)) {}

Plan ShellLanguage::plan(const Request& request) const {
  CodeOptions options = parse_code_options(request, true, allowed_.with_value());
  if (const std::string refusal = allowed_.refusal(request.language, options.tool_options); !refusal.empty())
    return ImmediateReply{refusal};
  Step run;
  run.label = "run";
  run.argv = {name_};
  run.argv.insert(run.argv.end(), options.tool_options.begin(), options.tool_options.end());
  run.argv.push_back(file());
  if (options.info) return ImmediateReply{request.language + " cmdline: " + quote_words(run.argv)};
  if (options.code.empty()) return ImmediateReply{usage_text()};

  run.argv.insert(run.argv.end(), options.arguments.begin(), options.arguments.end());
  run.reads_input = true;
  run.when = When::always;
  Job job;
  job.files.push_back({file(), std::move(options.code) + '\n'});
  job.steps.push_back(std::move(run));
  job.input = std::move(options.input);
  return job;
}

std::string ShellLanguage::reply(const Request& request, const Result& result) const {
  return program_reply(request, result);
}

void* ShellLanguage::extension(std::string_view wanted) {
  if (wanted == LanguageOptions::identifier) return static_cast<LanguageOptions*>(this);
  return wanted == LanguageFacts::identifier ? static_cast<LanguageFacts*>(this) : nullptr;
}

std::vector<std::string> ShellLanguage::packages(std::string_view distribution) const {
  return {name_ == "sh" && distribution == "debian" ? "dash" : "bash"};
}

std::string ShellLanguage::note() const {
  return name_ == "sh" ? "The system's own: dash on Debian, bash on Fedora and openSUSE" : "";
}

}  // namespace pbotvm::shell

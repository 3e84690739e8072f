// SPDX-License-Identifier: MIT
#include "shell_language.h"

#include <utility>

#include "pbotvm/reply_text.h"

namespace pbotvm::shell {

ShellLanguage::ShellLanguage(std::string name) : name_(std::move(name)) {}

Plan ShellLanguage::plan(const Request& request) const {
  CodeOptions options = parse_code_options(request, true, {"-o", "-O"});
  const std::string file = "prog." + name_;
  Step run;
  run.label = "run";
  run.argv = {name_};
  run.argv.insert(run.argv.end(), options.tool_options.begin(), options.tool_options.end());
  run.argv.push_back(file);
  if (options.info) return ImmediateReply{request.language + " cmdline: " + quote_words(run.argv)};
  if (options.paste) return ImmediateReply{paste_text()};
  if (options.code.empty()) return ImmediateReply{usage_text()};

  run.argv.insert(run.argv.end(), options.arguments.begin(), options.arguments.end());
  run.reads_input = true;
  run.when = When::always;
  Job job;
  job.files.push_back({file, std::move(options.code) + '\n'});
  job.steps.push_back(std::move(run));
  job.input = std::move(options.input);
  return job;
}

std::string ShellLanguage::reply(const Request& request, const Result& result) const {
  return program_reply(request, result);
}

}  // namespace pbotvm::shell

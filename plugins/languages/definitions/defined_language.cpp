// SPDX-License-Identifier: MIT
#include "defined_language.h"

#include <algorithm>
#include <utility>

#include "pbotvm/reply_text.h"

namespace pbotvm::definitions {

namespace {

std::string with_file(std::string word, const std::string& file) {
  constexpr std::string_view placeholder = "{file}";
  for (std::size_t at = word.find(placeholder); at != std::string::npos; at = word.find(placeholder, at + file.size()))
    word.replace(at, placeholder.size(), file);
  return word;
}

bool ran(const Result& result, std::uint32_t step) {
  return std::any_of(result.steps.begin(), result.steps.end(), [&](const StepResult& s) { return s.step == step; }) ||
         std::any_of(result.output.begin(), result.output.end(), [&](const OutputChunk& c) { return c.step == step; });
}

}  // namespace

DefinedLanguage::DefinedLanguage(Definition definition) : definition_(std::move(definition)) {}

std::vector<std::string> DefinedLanguage::command(const StepTemplate& step, const std::vector<std::string>& options,
                                                  const std::vector<std::string>& arguments) const {
  std::vector<std::string> argv;
  for (const std::string& word : step.argv) {
    if (word == "{options}") {
      argv.insert(argv.end(), options.begin(), options.end());
    } else if (word == "{arguments}") {
      argv.insert(argv.end(), arguments.begin(), arguments.end());
    } else {
      argv.push_back(with_file(word, definition_.file));
    }
  }
  return argv;
}

std::string DefinedLanguage::command_lines(const std::vector<std::string>& options) const {
  std::string text;
  for (const StepTemplate& step : definition_.steps)
    text += (text.empty() ? "" : "; ") + quote_words(command(step, options, {}));
  return text;
}

std::string DefinedLanguage::program_text(std::string code) const {
  for (const Wrap& wrap : definition_.wraps) {
    const bool whole = std::any_of(wrap.unless.begin(), wrap.unless.end(),
                                   [&](const std::string& mark) { return code.find(mark) != std::string::npos; });
    if (whole) continue;
    code = wrap.before + code;
    if (!wrap.after.empty()) code += '\n' + wrap.after;
  }
  code += '\n';
  if (!definition_.append.empty()) code += definition_.append + '\n';
  return code;
}

Plan DefinedLanguage::plan(const Request& request) const {
  CodeOptions options = parse_code_options(request, takes_options(), definition_.allowed.with_value());
  if (const std::string refusal = definition_.allowed.refusal(request.language, options.tool_options); !refusal.empty())
    return ImmediateReply{refusal};
  if (options.tool_options.empty()) options.tool_options = definition_.options;
  if (options.info) return ImmediateReply{request.language + " cmdline: " + command_lines(options.tool_options)};
  if (options.code.empty()) return ImmediateReply{usage_text()};
  if (!options.arguments.empty() && !uses(definition_, "{arguments}"))
    return ImmediateReply{"Language '" + request.language + "' takes no arguments."};

  Job job;
  job.files.push_back({definition_.file, program_text(std::move(options.code))});
  for (const StepTemplate& step : definition_.steps)
    job.steps.push_back({step.label, command(step, options.tool_options, options.arguments), step.environment,
                         step.reads_input, step.when});
  job.input = std::move(options.input);
  return job;
}

std::string DefinedLanguage::reply(const Request& request, const Result& result) const {
  const auto program = static_cast<std::uint32_t>(definition_.steps.size() - 1);
  std::string messages;
  for (std::uint32_t step = 0; step < program; ++step) messages += output_of(result, step);
  messages.erase(messages.find_last_not_of(" \t\r\n") + 1);
  if (program > 0 && !ran(result, program)) return failure_reply(result, messages);
  if (!messages.empty()) messages = '[' + messages + ']';
  return program_reply(request, result, messages);
}

void* DefinedLanguage::extension(std::string_view wanted) {
  if (wanted == LanguageOptions::identifier) return static_cast<LanguageOptions*>(this);
  return wanted == LanguageFacts::identifier ? static_cast<LanguageFacts*>(this) : nullptr;
}

std::vector<std::string> DefinedLanguage::packages(std::string_view distribution) const {
  const auto found = definition_.packages.find(std::string(distribution));
  return found == definition_.packages.end() ? std::vector<std::string>() : found->second;
}

}  // namespace pbotvm::definitions

// SPDX-License-Identifier: MIT
#include "helpers.h"

#include <algorithm>
#include <array>
#include <set>

#include "c_tokens.h"
#include "helpers_script.h"

namespace pbotvm::c {

namespace {

constexpr std::string_view header_name = ".pbotvm-helpers.h", script_name = ".pbotvm-helpers.py",
                           code_name = ".pbotvm-code";
constexpr std::array<std::string_view, 6> names = {"print", "ptype", "whatis", "dump", "trace", "watch"};

// A call is a name before "(", and neither behind what makes it a member or a declaration.
std::set<std::string_view> called(std::string_view code) {
  const std::vector<Token> tokens = tokenize(code);
  std::set<std::string_view> used, own;
  for (std::size_t at = 0; at < tokens.size(); ++at) {
    const Token& token = tokens[at];
    if (token.kind == TokenKind::directive) {
      if (directive_name(token.text) == "define") own.insert(macro_name(token.text));
      continue;
    }
    if (!token.is_word() || std::find(names.begin(), names.end(), token.text) == names.end()) continue;
    const bool call = at + 1 < tokens.size() && tokens[at + 1].is("(");
    const Token* before = at > 0 ? &tokens[at - 1] : nullptr;
    const bool member = before && (before->is(".") || before->is("->") || before->is("::"));
    const bool declared = before && ((before->is_word() && !before->is("else") && !before->is("do")) ||
                                     before->is("*") || before->is("&") || before->is(">"));
    if (declared || (!call && !member)) {
      own.insert(token.text);
    } else if (call && !member) {
      used.insert(token.text);
    }
  }
  for (const std::string_view name : own) used.erase(name);
  return used;
}

// What the program has printed is to be seen before what the debugger answers.
constexpr std::string_view header = R"(#pragma once
#pragma GCC system_header
#ifdef __cplusplus
extern "C" {
#endif
extern int pbotvm_flush_(void*) __asm__("fflush");
static void __attribute__((__noinline__, __used__)) pbotvm_helper_(const char* pbotvm_what_, const char* pbotvm_of_) {
  __asm__ volatile("" : : "r"(pbotvm_what_), "r"(pbotvm_of_) : "memory");
}
#ifdef __cplusplus
}
#endif
)";

std::string header_for(const std::set<std::string_view>& used) {
  std::string text(header);
  for (const std::string_view name : used) {
    text += "#define " + std::string(name) + "(...) (pbotvm_flush_(0), pbotvm_helper_(\"" + std::string(name) +
            "\", #__VA_ARGS__))\n";
  }
  return text;
}

}  // namespace

bool uses_helpers(std::string_view code) {
  return !called(code).empty();
}

std::string helpers_prologue() {
  return "#include \"" + std::string(header_name) + "\"\n";
}

void run_with_helpers(Job& job, std::size_t run, std::string_view code, std::string_view file) {
  job.files.push_back({std::string(header_name), header_for(called(code))});
  std::string text(helpers_script);
  text.replace(text.find("@FILE@"), 6, file);
  job.files.push_back({std::string(script_name), std::move(text)});
  job.files.push_back({std::string(code_name), std::string(code)});
  // Whatever was asked for before: the debugger knows nothing without it. The last one counts.
  std::vector<std::string>& compile = job.steps.at(run - 1).argv;
  std::erase(compile, "-s");
  compile.emplace_back("-g");
  Step& step = job.steps.at(run);
  std::vector<std::string> argv = {
      "gdb", "-nx", "-q", "-batch", "-iex", "set debuginfod enabled off", "-x", std::string(script_name), "--args"};
  argv.insert(argv.end(), step.argv.begin(), step.argv.end());
  step.argv = std::move(argv);
}

}  // namespace pbotvm::c

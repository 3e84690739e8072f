// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "pbotvm/language.h"
#include "pbotvm/language_facts.h"
#include "pbotvm/language_options.h"
#include "pbotvm/tool_options.h"

namespace pbotvm::shell {

/// A shell that runs the code as a script: `sh prog.sh`.
class ShellLanguage final : public Language, public LanguageFacts, public LanguageOptions {
 public:
  /// The shell's name is the language's, its program's, and the ending of the script's name.
  explicit ShellLanguage(std::string name);

  std::string name() const override { return name_; }
  std::vector<std::string> aliases() const override { return {}; }
  std::vector<std::string> tools() const override { return {name_}; }
  std::string hello() const override { return "echo hello"; }
  Plan plan(const Request& request) const override;
  std::string reply(const Request& request, const Result& result) const override;
  void* extension(std::string_view identifier) override;

  std::string file() const override { return "prog." + name_; }
  std::vector<std::string> default_options() const override { return {}; }
  CommentMarks comment_marks() const override { return {": <<'CMDLINE'", "CMDLINE"}; }
  std::vector<std::string> packages(std::string_view distribution) const override;
  std::string stdin_program() const override { return "cat"; }
  std::string note() const override;
  std::string origin() const override { return {}; }

  bool takes_options() const override { return true; }
  std::vector<std::string> option_rules() const override { return allowed_.rules(); }

 private:
  std::string name_;
  ToolOptions allowed_;
};

}  // namespace pbotvm::shell

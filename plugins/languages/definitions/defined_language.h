// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "definition.h"
#include "pbotvm/language.h"
#include "pbotvm/language_facts.h"
#include "pbotvm/language_options.h"

namespace pbotvm::definitions {

/// A language that a YAML file describes.
class DefinedLanguage final : public Language, public LanguageFacts, public LanguageOptions {
 public:
  explicit DefinedLanguage(Definition definition);

  std::string name() const override { return definition_.name; }
  std::vector<std::string> aliases() const override { return definition_.aliases; }
  std::vector<std::string> tools() const override { return definition_.tools; }
  std::string hello() const override { return definition_.hello; }
  Plan plan(const Request& request) const override;
  std::string reply(const Request& request, const Result& result) const override;
  void* extension(std::string_view identifier) override;

  std::string file() const override { return definition_.file; }
  std::vector<std::string> default_options() const override { return definition_.options; }
  CommentMarks comment_marks() const override { return {definition_.comment_begin, definition_.comment_end}; }
  std::vector<std::string> packages(std::string_view distribution) const override;
  std::string stdin_program() const override { return definition_.stdin_program; }
  std::string note() const override { return definition_.note; }
  std::string origin() const override { return definition_.origin; }

  bool takes_options() const override { return uses(definition_, "{options}"); }
  std::vector<std::string> option_rules() const override { return definition_.allowed.rules(); }

 private:
  std::vector<std::string> command(const StepTemplate& step, const std::vector<std::string>& options,
                                   const std::vector<std::string>& arguments) const;
  std::string program_text(std::string code) const;
  std::string command_lines(const std::vector<std::string>& options) const;

  Definition definition_;
};

}  // namespace pbotvm::definitions

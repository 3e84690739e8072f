// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "c_dialect.h"
#include "crash.h"
#include "pbotvm/language.h"
#include "pbotvm/language_facts.h"
#include "pbotvm/language_options.h"
#include "pbotvm/tool_options.h"

namespace pbotvm::c {

/// C or C++ of one standard, compiled in the guest.
class CLanguage final : public Language, public LanguageFacts, public LanguageOptions {
 public:
  /// `name` is what -lang= takes: c89, c11, clang, c++20 ... Throws std::out_of_range for one that is none.
  explicit CLanguage(std::string_view name);

  std::string name() const override { return std::string(dialect_.name); }
  std::vector<std::string> aliases() const override;
  std::vector<std::string> tools() const override;
  std::string hello() const override;
  Plan plan(const Request& request) const override;
  std::string reply(const Request& request, const Result& result) const override;
  void* extension(std::string_view wanted) override;

  std::string file() const override { return std::string(dialect_.source()); }
  std::vector<std::string> default_options() const override { return dialect_.default_options(); }
  CommentMarks comment_marks() const override { return {"/***", "***/"}; }
  std::vector<std::string> packages(std::string_view distribution) const override;
  std::string stdin_program() const override;
  std::string note() const override;
  std::string origin() const override { return {}; }

  bool takes_options() const override { return true; }
  std::vector<std::string> option_rules() const override { return allowed_.rules(); }

 private:
  const Dialect& dialect_;
  ToolOptions allowed_;
  CrashMarks crash_marks_;
};

}  // namespace pbotvm::c

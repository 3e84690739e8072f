// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "pbotvm/language.h"

namespace pbotvm::shell {

/// A shell that runs the code as a script: `sh prog.sh`.
class ShellLanguage final : public Language {
 public:
  /// The shell's name is the language's, its program's, and the ending of the script's name.
  explicit ShellLanguage(std::string name);

  std::string name() const override { return name_; }
  std::vector<std::string> aliases() const override { return {}; }
  std::vector<std::string> tools() const override { return {name_}; }
  std::string hello() const override { return "echo hello"; }
  Plan plan(const Request& request) const override;
  std::string reply(const Request& request, const Result& result) const override;

 private:
  std::string name_;
};

}  // namespace pbotvm::shell

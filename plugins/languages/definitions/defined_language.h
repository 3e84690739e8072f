// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "definition.h"
#include "pbotvm/language.h"

namespace pbotvm::definitions {

/// A language that a YAML file describes.
class DefinedLanguage final : public Language {
 public:
  explicit DefinedLanguage(Definition definition);

  std::string name() const override { return definition_.name; }
  std::vector<std::string> aliases() const override { return definition_.aliases; }
  std::vector<std::string> tools() const override { return definition_.tools; }
  std::string hello() const override { return definition_.hello; }
  Plan plan(const Request& request) const override;
  std::string reply(const Request& request, const Result& result) const override;

 private:
  std::vector<std::string> command(const StepTemplate& step, const std::vector<std::string>& options,
                                   const std::vector<std::string>& arguments) const;
  std::string command_lines(const std::vector<std::string>& options) const;

  Definition definition_;
};

}  // namespace pbotvm::definitions

// SPDX-License-Identifier: MIT
#include "pbotvm/plugin.h"

#include "shell_language.h"

namespace {

class ShellFactory final : public pbotvm::LanguageFactory {
 public:
  std::vector<std::unique_ptr<pbotvm::Language>> create(const pbotvm::LanguageContext&) override {
    std::vector<std::unique_ptr<pbotvm::Language>> languages;
    for (const char* name : {"sh", "bash"}) languages.push_back(std::make_unique<pbotvm::shell::ShellLanguage>(name));
    return languages;
  }
};

}  // namespace

PBOTVM_PLUGIN("language", "shell", "1.0", pbotvm::LanguageFactory, ShellFactory)

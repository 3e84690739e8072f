// SPDX-License-Identifier: MIT
#include "pbotvm/plugin.h"

#include <mutex>

#include "defined_language.h"

namespace {

class DefinitionsFactory final : public pbotvm::LanguageFactory {
 public:
  std::vector<std::unique_ptr<pbotvm::Language>> create(const pbotvm::LanguageContext& context) override {
    namespace definitions = pbotvm::definitions;
    // A host that gave an earlier call up may ask again while that one still runs.
    const std::lock_guard lock(mutex_);
    std::vector<std::unique_ptr<pbotvm::Language>> languages;
    for (definitions::Definition& definition : definitions::read_directories(files_, context.definition_directories))
      languages.push_back(std::make_unique<definitions::DefinedLanguage>(std::move(definition)));
    return languages;
  }

 private:
  std::mutex mutex_;  // of the files
  pbotvm::definitions::DefinitionFiles files_;
};

}  // namespace

PBOTVM_PLUGIN("language", "definitions", "1.0", pbotvm::LanguageFactory, DefinitionsFactory)

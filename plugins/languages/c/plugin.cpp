// SPDX-License-Identifier: MIT
#include "pbotvm/plugin.h"

#include "c_language.h"

namespace {

class CFactory final : public pbotvm::LanguageFactory {
 public:
  std::vector<std::unique_ptr<pbotvm::Language>> create(const pbotvm::LanguageContext&) override {
    std::vector<std::unique_ptr<pbotvm::Language>> languages;
    for (const pbotvm::c::Dialect& dialect : pbotvm::c::dialects())
      languages.push_back(std::make_unique<pbotvm::c::CLanguage>(dialect.name));
    return languages;
  }
};

}  // namespace

PBOTVM_PLUGIN("language", "c", "1.0", pbotvm::LanguageFactory, CFactory)

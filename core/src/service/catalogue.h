// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pbotvm/language.h"

namespace pbotvm::service {

/// A language and the plug-in that brought it.
struct CatalogueEntry {
  std::string plugin;
  std::unique_ptr<Language> language;
  std::vector<std::string> names{};  ///< its name, then its aliases; asked for once, by the catalogue
  std::vector<std::string> tools{};  ///< likewise
};

/// Every language of the host, found by its names. Immutable once built: any thread.
class Catalogue {
 public:
  /// Throws Error{plugin} when two languages claim one name, or a plug-in fails to say what its language is.
  explicit Catalogue(std::vector<CatalogueEntry> languages);

  /// Null where there is none of that name.
  const CatalogueEntry* find(const std::string& name) const;

  std::vector<std::string> names() const;  ///< of languages and aliases, sorted
  const std::vector<CatalogueEntry>& entries() const { return languages_; }

  /// Every program that some language needs, without repetitions, sorted.
  std::vector<std::string> tools() const;

  /// "Language 'X' is not supported." and the list.
  std::string unknown_language_text(const std::string& name) const;

 private:
  std::vector<CatalogueEntry> languages_;
  std::map<std::string, const CatalogueEntry*> by_name_;
};

}  // namespace pbotvm::service

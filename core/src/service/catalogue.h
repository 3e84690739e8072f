// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pbotvm/language.h"
#include "pbotvm/language_facts.h"

namespace pbotvm::service {

/// What a language tells about itself through LanguageFacts and LanguageOptions; all empty where it does not.
struct LanguageDetails {
  std::string file;
  std::vector<std::string> options;
  CommentMarks marks;
  std::string stdin_program;
  std::map<std::string, std::vector<std::string>> packages;  ///< by distribution, of those that `distributions` names
  std::string note;
  std::string origin;
  bool takes_options = true;                      ///< words of '-' in front of the code, as LanguageOptions has it
  std::vector<std::string> option_rules{};        ///< likewise; empty where the language does not tell
  std::vector<std::string> options_with_value{};  ///< of those rules, each once
};

/// The distributions for which languages are asked after packages, as LanguageFacts::packages() spells them.
const std::vector<std::string>& distributions();

/// A language and the plug-in that brought it.
struct CatalogueEntry {
  std::string plugin;
  std::shared_ptr<Language> language;  ///< shared: a call that was given up may still run when the catalogue is gone
  std::vector<std::string> names{};    ///< its name, then its aliases; asked for once, by the catalogue
  std::vector<std::string> tools{};    ///< likewise
  LanguageDetails details{};           ///< likewise
};

/// Fills the entry in: asks its language what it is called, what it needs and what else it tells of itself - once, as a
/// plug-in need not answer alike twice; an entry that has names is left as it is. Throws Error{plugin} that names the
/// plug-in where it fails, or says of itself what cannot be.
void learn(CatalogueEntry& entry);

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

  /// "Language 'X' needs A, which virtual machine 'M' does not have; package P of Debian brings it." and the note of
  /// the language where nothing packages it. `missing` are those of its tools that the machine lacks, at least one.
  static std::string missing_tools_text(const CatalogueEntry& entry, const std::string& name,
                                        const std::vector<std::string>& missing, const std::string& machine);

 private:
  std::vector<CatalogueEntry> languages_;
  std::map<std::string, const CatalogueEntry*> by_name_;
};

}  // namespace pbotvm::service

// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "plugin/patient_guard.h"
#include "service/catalogue.h"

namespace pbotvm::service {

/// What became of languages that were read anew, by their first names, sorted.
struct CatalogueChanges {
  std::vector<std::string> added, removed, changed;

  /// "added ruby; changed perl, tcl", "no change is seen".
  std::string text() const;
};

/// A digest, in hexadecimal, of what a language tells of itself and of how it plans a few programs, among them those
/// that are there to try it; without its aliases and its origin, which depend on what else is there. Alike wherever a
/// definition was read. Calls the plug-in through `guard`; throws Error{plugin} as that does.
std::string digest_of(const CatalogueEntry& entry, plugin::PatientGuard& guard);

/// For people: two languages of one name are taken for the same when they tell the same about themselves and plan a few
/// programs alike, which does not show every change of a definition. A plug-in that fails at that has changed; one
/// that both have was kept, and is not asked.
CatalogueChanges changes_between(const Catalogue& before, const Catalogue& after, plugin::PatientGuard& guard);

/// A line for each language whose origin says that it stands in another's place: "language ruby: FILE, instead of
/// FILE"; of those that `only` names, of all where it is null.
std::vector<std::string> overrides_in(const Catalogue& catalogue, const CatalogueChanges* only = nullptr);

}  // namespace pbotvm::service

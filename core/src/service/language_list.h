// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "machine/machine.h"
#include "service/catalogue.h"

namespace pbotvm::service {

/// Every language with what is known of it, sorted by name, as docs/operating.md has the keys; `machines` are those
/// whose guests are told of, and may be none.
nlohmann::json language_list(const Catalogue& catalogue, const std::vector<const machine::Machine*>& machines);

}  // namespace pbotvm::service

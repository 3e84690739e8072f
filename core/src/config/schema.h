// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace pbotvm::config {

/// The settings as a JSON schema (draft 7), for editors that complete and check YAML: made from the one table. It knows
/// keys and types; what else must hold, --check-config says. Ends with a newline. Throws Error{internal} where a type
/// of the table has no rule yet.
std::string settings_schema();

}  // namespace pbotvm::config

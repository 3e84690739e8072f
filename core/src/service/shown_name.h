// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace pbotvm::service {

/// A name that a client chose, in quotes, as a reply may repeat it: on one line, without control characters, and at
/// most some 80 bytes of it.
std::string in_quotes(std::string_view name);

}  // namespace pbotvm::service

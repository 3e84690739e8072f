// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pbotvm::service {

/// Base64 as RFC 4648, section 4 has it: padded, no line ends.
std::string encode_base64(std::string_view bytes);

/// None where the text is anything else.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace pbotvm::service

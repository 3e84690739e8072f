// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

namespace pbotvm::service {

/// The offset of the first byte that is not UTF-8 (RFC 3629), or npos.
std::size_t find_invalid_utf8(std::string_view text);

/// How many bytes at the end, 0 to 3, begin a character whose rest may still come.
std::size_t incomplete_utf8_tail(std::string_view bytes);

}  // namespace pbotvm::service

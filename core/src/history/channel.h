// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace pbotvm::history {

inline constexpr std::size_t max_channel = 256;  ///< bytes of a channel's name under which anything is remembered

/// A channel as it is remembered: without blanks around it, in small letters, as IRC does not tell #C from #c.
std::string channel_name(std::string_view channel);

}  // namespace pbotvm::history

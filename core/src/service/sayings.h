// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string_view>

namespace pbotvm::service {

/// Short lines for programs that read something and were given nothing, for hosts without `fortune`. Each of them is
/// one line of ASCII.
std::span<const std::string_view> sayings();

}  // namespace pbotvm::service

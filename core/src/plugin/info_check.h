// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "pbotvm/abi.h"

namespace pbotvm::plugin {

/// Why a plug-in with this info must not be used by this host, "ABI major: expected 1, found 2"; nothing when it may
/// be. `kind` and `name` are those of its file's name. Reads no field that the info's own size does not cover.
std::optional<std::string> refusal(const PbotvmPluginInfo* info, const std::string& kind, const std::string& name);

}  // namespace pbotvm::plugin

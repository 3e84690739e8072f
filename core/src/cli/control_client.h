// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace pbotvm::cli {

/// Asks a running host over STATE/control.sock and returns its answer, an object with the key "ok". Changes the working
/// directory to `state`, because a socket's path has room for 107 bytes only. Throws Error: `unavailable` when no host
/// listens there, `refused` when this user may not ask, `timed_out`, `protocol`.
nlohmann::json ask_host(const std::filesystem::path& state, const nlohmann::json& command,
                        std::chrono::milliseconds patience);

/// Why a host refused, from an answer whose "ok" is false: one line, see error_line().
std::string refusal_of(const nlohmann::json& answer);

/// The status of the host that has STATE and serves this machine, null where there is none. Changes into `state` where
/// it can, as a machine's relative sockets are below it. Throws Error as ask_host() does, but not where no host
/// listens.
nlohmann::json holding_host(const std::filesystem::path& state, const std::string& machine);

/// A status answer for people: the host, then its machines as a table, each problem on a line below.
std::string status_text(const nlohmann::json& status);

}  // namespace pbotvm::cli

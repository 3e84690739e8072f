// SPDX-License-Identifier: MIT
#pragma once

// Checks that more than one setting needs. Each takes the value as it was written and returns it checked, or throws
// ConfigurationError at its place.

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/configuration.h"

namespace pbotvm::config {

enum class Origin { built_in, file, environment, command_line };

/// One value of one setting from one source.
struct Given {
  Settings value;
  Origin origin = Origin::built_in;
  std::filesystem::path base;  ///< what a relative path is relative to
};

/// A text that is not empty, has no control characters and at most 255 bytes.
std::string plain_text(const Settings& value);

/// A text of the given characters only; `accepted` describes them.
std::string word(const Settings& value, std::string_view characters, const std::string& accepted);

/// [A-Za-z0-9._-]+ with neither a leading dot or '-' nor "..", at most 64 bytes: it becomes a directory's name.
std::string machine_name(const Settings& value, const std::string& name);

/// A literal address or a host name.
std::string host_address(const Settings& value);

/// Seconds, from a millisecond to a day.
std::chrono::milliseconds duration(const Settings& value);

/// A port, an address with a port, a Unix socket, or 0.
Endpoint endpoint(const Settings& value);

/// One of `choices`; names the nearest of them otherwise.
std::size_t choice(const Settings& value, const std::vector<std::string>& choices);

/// An absolute path.
std::filesystem::path path(const Given& given, const Settings& value);

/// A list, or a text for one; a text from outside the file is split at colons.
std::vector<std::filesystem::path> paths(const Given& given);

/// The name of a plug-in, or a map with the key `plugin` and the plug-in's own keys. Where a map names none, `fallback`
/// is it; empty: one must be named.
PluginChoice plugin_choice(const Settings& value, const std::string& fallback);

/// The plug-ins of a list; a text from outside the file is split at commas. A name stands once.
std::vector<PluginChoice> plugin_choices(const Given& given);

}  // namespace pbotvm::config

// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/command.h"

namespace pbotvm::cli {

inline constexpr char languages_usage[] =
    "pbotvm [--config FILE] languages [--machine NAME] [--json] [LANGUAGE...]\n"
    "       pbotvm [--config FILE] languages --packages DISTRIBUTION LANGUAGE,...|all\n"
    "Lists the languages with what brings them and, from a running host, whether the guests have their tools; names\n"
    "them to read more of each. --packages prints the names of the packages that bring their tools, a line for each;\n"
    "DISTRIBUTION is debian, fedora or opensuse. Languages that it does not package are told on standard error.\n"
    "Exit status: 0; 64 wrong usage, also a language that there is none of.\n";

/// `pbotvm languages`.
int run_languages(const Invocation& invocation);

/// A list of service::language_list() for people: a table of at most 100 columns, a language a line.
std::string languages_table(const nlohmann::json& languages);

/// All that is known of one of them, on several lines.
std::string language_page(const nlohmann::json& language);

}  // namespace pbotvm::cli

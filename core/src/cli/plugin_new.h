// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/command.h"

namespace pbotvm::cli {

inline constexpr char plugin_usage[] =
    "pbotvm plugin new language|transport|hypervisor NAME [--directory DIR]\n"
    "Writes a small, complete project of a plug-in into DIR, without it ./NAME, which must not be there yet. It builds "
    "with\n"
    "CMake against the installed SDK, and its tests are the contract of its kind. NAME: a-z, then a-z 0-9 and -.\n";

/// `pbotvm plugin`.
int run_plugin(const Invocation& invocation);

/// Why a plug-in that an author makes cannot be called so; empty when it can.
std::string flaw_of_plugin_name(const std::string& name);

/// "SmallVm" of "small-vm": what its classes begin with.
std::string class_name(const std::string& name);

/// Writes the project from the templates of its kind in `templates`, and returns its files, relative to `directory`,
/// sorted. Throws Error{refused} where `directory` is there already, Error{unavailable} without templates.
std::vector<std::filesystem::path> write_plugin_project(const std::filesystem::path& templates, const std::string& name,
                                                        const std::filesystem::path& directory);

}  // namespace pbotvm::cli

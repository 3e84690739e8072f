// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "cli/command.h"

namespace pbotvm::cli {

/// What an operator asked `pbotvm vm create` for, checked word by word; files were not looked at.
struct CreateWish {
  enum class Console { serial, spice, vnc };
  enum class Network { none, user, bridge };

  std::string name;                            ///< of the machine, [A-Za-z0-9._-]+
  std::optional<std::filesystem::path> iso;    ///< absolute; an installer. Either this or `image`
  std::optional<std::filesystem::path> image;  ///< absolute; directory of our guest image
  std::optional<std::filesystem::path> disk;   ///< absolute
  std::uint64_t disk_size = 0;                 ///< bytes
  std::uint64_t memory_mib = 0;
  unsigned cpus = 0;       ///< 0: what suits the acceleration
  std::string hypervisor;  ///< "libvirt", "qemu", or empty: the configured one
  Console console = Console::serial;
  Network network = Network::none;
  std::string bridge;
  bool print = false;  ///< only say what would be run
};

/// Throws UsageError at the first word that is not understood.
CreateWish read_create_wish(const Words& words);

}  // namespace pbotvm::cli

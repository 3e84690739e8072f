// SPDX-License-Identifier: MIT
#include "libvirt_settings.h"

#include <algorithm>

namespace pbotvm::libvirt {
namespace {

constexpr std::size_t most_uri = 4096;
constexpr int most_shutdown = 60;

std::string read_uri(const Settings& node) {
  const std::string uri = node.text();
  const bool printable = std::ranges::all_of(uri, [](unsigned char byte) { return byte > ' ' && byte != 0x7f; });
  if (!printable || uri.size() > most_uri || uri.find("://") == uri.npos || uri.starts_with(':'))
    node.fail("uri is '" + uri +
              "', accepted is a connection URI of libvirt such as qemu:///system, qemu:///session or "
              "qemu+ssh://USER@HOST/system");
  return uri;
}

}  // namespace

LibvirtSettings read_settings(const Settings& settings) {
  settings.accept_only({"plugin", "uri", "fast_revert", "shutdown"});
  LibvirtSettings made;
  if (const auto node = settings.find("uri")) made.uri = read_uri(*node);
  made.fast_revert = settings.boolean("fast_revert", false);
  made.shutdown = std::chrono::seconds(settings.integer("shutdown", 0, 0, most_shutdown));
  return made;
}

}  // namespace pbotvm::libvirt

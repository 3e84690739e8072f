// SPDX-License-Identifier: MIT
#include "history/channel.h"

#include <algorithm>

namespace pbotvm::history {

std::string channel_name(std::string_view channel) {
  const auto begin = channel.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  std::string name(channel.substr(begin, channel.find_last_not_of(" \t\r\n") + 1 - begin));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
  return name;
}

}  // namespace pbotvm::history

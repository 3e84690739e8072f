// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "bench.h"

namespace pbotvm::bench {

/// A pbotvm-host of our own, below `folder`. Ends with this object.
class Host {
 public:
  /// Returns when its machine is ready. Throws Error.
  Host(const Options& options, const std::filesystem::path& folder, const std::string& yaml);
  Host(const Host&) = delete;
  ~Host();

  /// One request, one reply. Any thread.
  std::string request(const std::string& line) const;
  nlohmann::json control(const nlohmann::json& command) const;
  long resident_kib() const;

 private:
  void await_ready();

  std::filesystem::path folder_;
  std::uint16_t port_;
  pid_t pid_ = -1;
};

}  // namespace pbotvm::bench

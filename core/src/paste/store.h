// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>

#include "pbotvm/unique_fd.h"

namespace pbotvm::paste {

/// A directory of texts whose names nobody can guess, for people or a web server of the host's group to read. Bounded:
/// the oldest go when a new one needs their room. A file is there whole or not at all. What else stands in the
/// directory is left alone and not counted. Any thread.
class Store {
 public:
  static constexpr std::size_t max_page = 4u << 20;  ///< bytes of one text; more is refused

  struct Bounds {
    std::uint32_t files = 0;
    std::uint64_t bytes = 0;  ///< all together
  };

  /// Makes nothing yet: the directory, relative to the working directory, is made (mode 0750, its files 0640) with the
  /// first text, and again where it is gone.
  Store(std::filesystem::path directory, Bounds bounds);

  /// Keeps `text` and returns the name of its file, with the extension of `like` ("prog.c"), if that is a plain one.
  /// Throws Error: `refused` over a bound, `unavailable` when it cannot be written.
  std::string keep(const std::string& text, const std::string& like);

 private:
  UniqueFd open();
  void make_room(int directory, std::uint64_t bytes) const;

  const std::filesystem::path path_;
  const Bounds bounds_;
  std::mutex mutex_;
  bool cleared_ = false;  // of what an earlier host left half-written
};

}  // namespace pbotvm::paste

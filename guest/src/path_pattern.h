// SPDX-License-Identifier: MIT
#pragma once

// The patterns of Collection::patterns, matched part by part while a tree is walked. Not fnmatch(3): that takes
// exponential time for some patterns, and knows characters only with the locale of the process.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pbotvm::guest {

class PathPatterns {
 public:
  explicit PathPatterns(const std::vector<std::string>& patterns);

  /// How far a directory's path has come in each of the patterns.
  class Places {
   public:
    bool none() const { return places_.empty(); }
    bool matched() const { return matched_; }  ///< the path as far as it goes is one that a pattern means
    bool open() const { return open_; }        ///< paths below may be

   private:
    friend class PathPatterns;
    struct Place {
      std::uint32_t pattern, part;
      friend auto operator<=>(const Place&, const Place&) = default;
    };
    std::vector<Place> places_;
    bool matched_ = false, open_ = false;
  };

  Places start() const;
  /// The places behind one more part of the path.
  Places step(const Places& from, std::string_view name) const;

 private:
  void add(Places& to, std::uint32_t pattern, std::uint32_t part) const;
  void settle(Places& places) const;
  std::vector<std::vector<std::string>> parts_;
};

/// Whether `name` is one that a pattern of one part means: `*`, `?`, `[abc]`, `[a-z]`, `[!a]`. Nothing else is special,
/// and a character is one of UTF-8, or a byte where the name is none.
bool part_matches(std::string_view pattern, std::string_view name);

bool is_utf8(std::string_view text);

}  // namespace pbotvm::guest

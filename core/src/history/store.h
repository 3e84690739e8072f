// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "history/sqlite.h"

namespace pbotvm::history {

/// Whose history: a channel's in a language.
struct Owner {
  std::string channel, language;
};

struct Bounds {
  std::uint32_t entries = 100;                    ///< of one channel and language
  std::uint64_t bytes = std::uint64_t(64) << 20;  ///< of all entries of all channels
};

struct KeptEntry {
  std::int64_t id = 0;  ///< never used twice
  std::string text;
};

/// The entries of all channels in one SQLite file. What goes beyond a bound pushes out the oldest: first of the same
/// channel and language, then of all. Nothing waits for the disk: a power cut may cost the file, a crash of the host
/// does not. All methods throw DatabaseError. Not for two threads at one time; other processes may use the file.
class Store {
 public:
  static constexpr std::uint64_t entry_overhead = 256;  ///< bytes that an entry counts beside its text

  /// Makes the file where it is missing, for its owner alone.
  Store(const std::string& path, Bounds bounds);

  /// Whether the file is still the one of its name.
  bool is_in_place() const;

  /// The newest first, at most `count`, after the `skip` newest ones.
  std::vector<KeptEntry> newest(const Owner& owner, std::size_t count, std::size_t skip = 0);

  /// How many entries there are.
  std::uint64_t count(const Owner& owner) { return sum_of(owner).entries; }

  /// Takes the `drop` newest entries away and adds one, whole or not at all. Does nothing and returns false where the
  /// newest entry is not `expected` (0: none) any more; without `expected` it may be any. An entry that is the same as
  /// the newest one is not added.
  bool commit(const Owner& owner, std::optional<std::int64_t> expected, std::size_t drop,
              const std::optional<std::string>& text);

  /// Of all entries.
  std::uint64_t bytes() const { return total_; }

 private:
  /// What is known of an owner's entries, as it stands in the table `owner`.
  struct Sum {
    std::int64_t id = 0;
    std::uint64_t entries = 0, bytes = 0;
  };

  Sum sum_of(const Owner& owner);
  void save(const Sum& sum);
  std::optional<KeptEntry> newest_of(const Sum& sum);
  void add_owner(Sum& sum, const Owner& owner);
  bool remove_end(Sum& sum, Statement& which_end);
  void remove(Sum& sum, std::int64_t entry, std::uint64_t bytes);
  void insert(Sum& sum, std::string_view text);
  void push_out();

  const std::string path_;
  const Bounds bounds_;
  std::pair<std::uint64_t, std::uint64_t> file_;  // device and number
  Database database_;
  struct Statements;
  struct Free {
    void operator()(Statements* statements) const;
  };
  std::unique_ptr<Statements, Free> statements_;
  std::uint64_t total_ = 0;    // bytes as they were committed
  std::uint64_t pending_ = 0;  // bytes after what the open transaction did
};

}  // namespace pbotvm::history

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pbotvm::qemu {

inline constexpr std::size_t longest_snapshot_name = 64;  ///< bytes; a name becomes a part of a file's

/// Whether a snapshot can have this name: letters, digits and ._- , the first one a letter or digit.
bool is_snapshot_name(const std::string& name);

/// The files of one of a machine's snapshots. It is a cache: it may be used only while its stamp, a text, says that
/// everything it depends on is as it was. The stamp is there only while the snapshot is whole. One thread at a time.
class SnapshotStore {
 public:
  /// `directory` is the machine's own, relative to the working directory or absolute. Without a name the snapshot that
  /// the machine is reverted to by itself, else a further one; the name must be one.
  explicit SnapshotStore(const std::string& directory, const std::string& name = {});

  const std::string& file() const { return file_; }          ///< the snapshot to go back to
  const std::string& new_file() const { return new_file_; }  ///< where the next one is made

  /// Whether there is a snapshot with just this stamp.
  bool fits(const std::string& stamp) const;

  /// Whether there is a whole one, whatever its stamp.
  bool exists() const;

  /// When it was taken, and what it takes up on disk in bytes. Zeros where it does not exist.
  struct Facts {
    std::int64_t taken = 0;  ///< ns since 1970
    std::uint64_t bytes = 0;
  };
  Facts facts() const;

  /// Makes the snapshot useless to later starts. Its file stays, as a running QEMU may have it open.
  void forget() noexcept;

  /// Puts the new file in the place of the old one and stamps it, so that it survives a power cut whole or not at all.
  /// Throws Error{unavailable}.
  void replace(const std::string& stamp);

  /// Removes what an attempt to make one left behind.
  void discard_new() noexcept;

  /// Removes it. A QEMU that has the file open keeps it.
  void remove() noexcept;

  /// The names of the further snapshots of a machine that are whole, in no order.
  static std::vector<std::string> further(const std::string& directory);

 private:
  std::string file_;
  std::string new_file_;
  std::string stamp_file_;
};

}  // namespace pbotvm::qemu

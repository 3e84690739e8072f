// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace pbotvm::qemu {

/// The files of a machine's snapshot. It is a cache: it may be used only while its stamp, a text, says that everything
/// it depends on is as it was. The stamp is there only while the snapshot is whole. One thread at a time.
class SnapshotStore {
 public:
  /// `directory` is the machine's own, relative to the working directory or absolute.
  explicit SnapshotStore(const std::string& directory);

  const std::string& file() const { return file_; }          ///< the snapshot to go back to
  const std::string& new_file() const { return new_file_; }  ///< where the next one is made

  /// Whether there is a snapshot with just this stamp.
  bool fits(const std::string& stamp) const;

  /// Makes the snapshot useless to later starts. Its file stays, as a running QEMU may have it open.
  void forget() noexcept;

  /// Puts the new file in the place of the old one and stamps it, so that it survives a power cut whole or not at all.
  /// Throws Error{unavailable}.
  void replace(const std::string& stamp);

 private:
  std::string file_;
  std::string new_file_;
  std::string stamp_file_;
};

}  // namespace pbotvm::qemu

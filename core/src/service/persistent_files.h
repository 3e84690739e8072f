// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "pbotvm/deadline.h"
#include "pbotvm/error.h"
#include "pbotvm/job.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::service {

/// What jobs keep between them, one archive a key: DIRECTORY/KEY.tar, made whole beside it and then renamed, so that a
/// host that ends at any moment leaves the old one or the new one. Any thread; what is done with one key is for the
/// holder of its lease alone.
class PersistentFiles {
 public:
  static constexpr std::size_t max_files = 128;  ///< of one key

  struct Bounds {
    std::uint64_t bytes = 0;  ///< content of one key's files
    std::uint32_t keys = 0;
  };

  /// Makes nothing yet: the directory, relative to the working directory, is made (mode 0700) with the first lease.
  PersistentFiles(std::filesystem::path directory, Bounds bounds);

  /// The right to one key. Must not outlive the object that gave it.
  class Lease {
   public:
    Lease(PersistentFiles& owner, std::string key) : owner_(owner), key_(std::move(key)) {}
    ~Lease() { owner_.release(key_); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    const std::string& key() const { return key_; }

   private:
    PersistentFiles& owner_;
    const std::string key_;
  };

  /// Waits for the key in the order of asking; null when the deadline passes or a stop is requested first. The key is
  /// valid as persist_key_of() has it.
  std::unique_ptr<Lease> lease(const std::string& key, const Deadline& deadline, const std::stop_token& stop);

  /// The files kept under the key, none for a new one. Throws Error{unavailable} when they cannot be read, and
  /// Error{protocol} when the archive is damaged, which then is put aside as KEY.tar.damaged-TIME.
  std::vector<JobFile> load(const Lease& lease);

  /// Replaces what is kept; no files: forgets the key. Throws Error{refused} over a bound and Error{unavailable} when
  /// it cannot be written; what was kept stays in both cases.
  void save(const Lease& lease, const std::vector<JobFile>& files);

 private:
  void release(const std::string& key);
  int directory();
  std::string put_aside(const std::string& name);
  void check_room(const std::string& name);

  const std::filesystem::path path_;
  const Bounds bounds_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  UniqueFd directory_;                                        // once it was made
  std::map<std::string, std::deque<std::uint64_t>> waiting_;  // tickets of a key; the first one holds it
  std::uint64_t last_ticket_ = 0;
  std::mutex saving_;  // so that two new keys are not both the last one
};

}  // namespace pbotvm::service

// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pbotvm::history {

/// The last output that was shown in each chat channel and language, so that the same long one need not be shown twice
/// within minutes. A chat channel's name begins with '#'; of others nothing is kept. In memory, as digests: what counts
/// for four minutes only need not outlive the host. Any thread.
class ShownOutputs {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr std::chrono::minutes memory{4};  ///< since it was shown, not since it was last repeated
  static constexpr std::size_t always_shown = 50;   ///< characters; an output that is not longer is never a repetition
  static constexpr std::size_t max_outputs = 10'000;  ///< of all channels and languages; the oldest go first

  /// Whether the output is the last one of this channel and language. Where it is not, it is shown, and is the last one
  /// from now on.
  bool repeats(const std::string& channel, const std::string& language, std::string_view output, Clock::time_point now);

  /// It is shown in any case.
  void show(const std::string& channel, const std::string& language, std::string_view output, Clock::time_point now);

  /// It did not reach the channel after all: where it is still the last one, nothing repeats it.
  void forget(const std::string& channel, const std::string& language, std::string_view output);

  std::size_t size() const;  ///< outputs that are kept

 private:
  using Place = std::pair<std::string, std::string>;  // channel, language
  struct Shown {
    std::vector<unsigned char> digest;
    Clock::time_point at;
  };

  void remember(const Place& place, Shown shown);
  void erase(std::map<Place, Shown>::iterator one);

  mutable std::mutex mutex_;  // of what follows
  std::map<Place, Shown> last_;
  std::multimap<Clock::time_point, Place> by_age_;  // the same, the oldest first
};

}  // namespace pbotvm::history

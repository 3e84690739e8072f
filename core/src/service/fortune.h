// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <deque>
#include <filesystem>
#include <mutex>
#include <random>
#include <string>
#include <thread>

namespace pbotvm::service {

/// The program `fortune`, in PATH or where Debian has games; empty where there is none.
std::filesystem::path find_fortune();

/// One line at a time for programs that read something and were given nothing, as PBot has it. Where the program
/// `fortune` is installed a few of its short lines are kept ready, read by a thread of its own now and then; until they
/// are there, and where it is not, the lines are this project's. Any thread; never waits for the program.
class Fortune {
 public:
  static constexpr std::size_t max_line = 512;  ///< bytes; a longer one is passed over

  /// `program` is run as `program -s`; an empty path: the project's own lines only. It is killed, with what it began,
  /// where it does not end within `run_time`, and not run again for `rest` after it failed.
  explicit Fortune(std::filesystem::path program, std::chrono::milliseconds run_time = std::chrono::seconds(1),
                   std::chrono::milliseconds rest = std::chrono::seconds(60));

  /// Kills a program that runs.
  ~Fortune();
  Fortune(const Fortune&) = delete;
  Fortune& operator=(const Fortune&) = delete;

  /// Without a line's end, never empty, valid UTF-8 without control characters.
  std::string line();

 private:
  using Clock = std::chrono::steady_clock;

  void refill_if_low();
  void refill(const std::stop_token& stop);

  const std::filesystem::path program_;
  const std::chrono::milliseconds run_time_, rest_;
  std::mutex mutex_;
  std::mt19937 random_{std::random_device{}()};
  std::deque<std::string> ready_;
  bool refilling_ = false;
  Clock::time_point next_try_{};
  std::jthread thread_;  // the last that refilled
};

}  // namespace pbotvm::service

// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>

#include <array>
#include <string>

#include "image/progress.h"

namespace pbotvm::cli {

/// While it lives SIGINT, SIGTERM, SIGHUP and SIGPIPE only leave a note, which a ProgressLine's watch() passes on.
/// SIGHUP stays ignored under nohup. One at a time.
class EndSignals {
 public:
  EndSignals();
  ~EndSignals();
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;

 private:
  static constexpr std::array<int, 4> numbers{SIGINT, SIGTERM, SIGHUP, SIGPIPE};
  std::array<struct ::sigaction, numbers.size()> before_{};
};

/// Percent on standard error: one line that changes on a terminal, else a line every five percent. One thread.
class ProgressLine {
 public:
  explicit ProgressLine(std::string what);
  ~ProgressLine() { finish(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// Before anything else is printed.
  void finish();

  /// Shows the progress here, and ends when this process is told to. Does not outlive the line.
  image::Watch watch();

 private:
  void show(double percent);

  const std::string what_;
  const bool terminal_;
  double shown_ = -1;
};

}  // namespace pbotvm::cli

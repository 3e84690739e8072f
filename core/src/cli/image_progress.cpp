// SPDX-License-Identifier: MIT
#include "cli/image_progress.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

namespace pbotvm::cli {

namespace {

constexpr double step_on_terminal = 0.1, step_elsewhere = 5;  // percent

volatile sig_atomic_t told_to_end = 0;

}  // namespace

EndSignals::EndSignals() {
  struct ::sigaction action {};
  action.sa_handler = [](int) { told_to_end = 1; };
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    ::sigaction(numbers[i], &action, &before_[i]);
    if (numbers[i] == SIGHUP && before_[i].sa_handler == SIG_IGN) ::sigaction(SIGHUP, &before_[i], nullptr);
  }
}

EndSignals::~EndSignals() {
  for (std::size_t i = 0; i < numbers.size(); ++i) ::sigaction(numbers[i], &before_[i], nullptr);
}

ProgressLine::ProgressLine(std::string what) : what_(std::move(what)), terminal_(::isatty(STDERR_FILENO) != 0) {}

void ProgressLine::finish() {
  if (terminal_ && shown_ >= 0) std::fputc('\n', stderr);
  shown_ = -1;
}

image::Watch ProgressLine::watch() {
  return {[this](double percent) { show(percent); }, [] { return told_to_end != 0; }};
}

void ProgressLine::show(double percent) {
  const double step = terminal_ ? step_on_terminal : step_elsewhere;
  if (shown_ >= 0 && percent < shown_ + step && !(percent >= 100 && shown_ < 100)) return;
  shown_ = percent;
  std::fprintf(stderr, terminal_ ? "\r%s: %5.1f %%" : "%s: %.1f %%\n", what_.c_str(), percent);
  std::fflush(stderr);
}

}  // namespace pbotvm::cli

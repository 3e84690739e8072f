// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench.h"
#include "machine/frame_session.h"
#include "pbotvm/deadline.h"
#include "pbotvm/transport.h"

namespace pbotvm::bench {

/// A conversation with the guest without a host: for the floors, and for what is measured of guest and frames alone.
/// Every time is in milliseconds; measurements that are repeated are paced by `rest`. Throws Error when something does
/// not come.
class Floor {
 public:
  Floor(Transport& transport, int slots);

  /// The echo of a frame.
  double echo();

  /// `sh prog.sh` as a job: what guest and frames cost. Waits until the slot is free again, not counted.
  double job();

  /// A bare fork and exec of `sh prog.sh` in the guest: `count` with a rest in between, then as many without.
  std::vector<double> bare_exec(int count);

  /// `bytes` echoed in full frames, several on their way.
  double echo_bytes(std::size_t bytes);

  /// The time from the first to the last byte of so much output of one job.
  double output_bytes(std::size_t bytes);

  /// Starts a job that writes without end, and lets some of it arrive.
  void start_flood();
  void end_flood();

 private:
  using Event = machine::Session::Event;

  void await(std::chrono::seconds patience, const char* what, const std::function<bool(const Event&)>& wanted);
  template <typename Wanted>
  Wanted await_of(std::uint32_t job, std::chrono::seconds patience);
  std::uint32_t start(const Job& job, bool progress = false);

  machine::FrameSession session_;
  std::deque<Event> pending_;
  std::uint32_t last_job_ = 0, flood_ = 0;
};

}  // namespace pbotvm::bench

// SPDX-License-Identifier: MIT
#pragma once

// What a job uses: its control group counts from when that was made, so each figure is a difference. Without one, what
// the kernel says of the step's process and its waited-for children has to do.

#include <chrono>
#include <cstdint>

#include "cgroup.h"
#include "pbotvm/job.h"
#include "process.h"

namespace pbotvm::guest {

class JobMeter {
 public:
  /// A job begins. `cgroup` outlives this and may be null; `memory`, `processes`: whether it counts them.
  JobMeter(const JobCgroup* cgroup, bool memory, bool processes);

  void begin_step();
  /// Processor time of the step until now, all its processes; only where counts_cpu().
  std::chrono::microseconds step_cpu() const { return cgroup_->cpu_used().used - cpu_before_.used; }
  bool counts_cpu() const { return cgroup_ != nullptr; }
  /// A fork of the step was refused.
  bool step_met_processes() const;
  /// The step has ended: fills in its times and the job's highest use of memory.
  void end_step(const ExitStatus& status, StepResult& result);

 private:
  std::uint64_t peak_memory(const ExitStatus& status);

  const JobCgroup* cgroup_;
  bool memory_, processes_;
  std::uint64_t former_peak_ = 0;     // of the group's earlier jobs
  std::uint64_t highest_seen_ = 0;    // bytes
  std::uint64_t refused_before_ = 0;  // forks
  CpuTime cpu_before_;
};

/// The processor time that wait(2) reports.
CpuTime cpu_time(const ExitStatus& status);

}  // namespace pbotvm::guest

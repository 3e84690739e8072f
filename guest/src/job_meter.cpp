// SPDX-License-Identifier: MIT
#include "job_meter.h"

#include <algorithm>

namespace pbotvm::guest {
namespace {

using std::chrono::microseconds;

microseconds to_microseconds(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + microseconds(time.tv_usec);
}

}  // namespace

CpuTime cpu_time(const ExitStatus& status) {
  const auto user = to_microseconds(status.usage.ru_utime), system = to_microseconds(status.usage.ru_stime);
  return {user + system, user, system};
}

JobMeter::JobMeter(const JobCgroup* cgroup, bool memory, bool processes)
    : cgroup_(cgroup), memory_(cgroup && memory), processes_(cgroup && processes) {
  if (memory_) former_peak_ = cgroup_->peak_memory();
}

void JobMeter::begin_step() {
  if (cgroup_) cpu_before_ = cgroup_->cpu_used();
  if (processes_) refused_before_ = cgroup_->refused_forks();
}

bool JobMeter::step_met_processes() const {
  return processes_ && cgroup_->refused_forks() > refused_before_;
}

void JobMeter::end_step(const ExitStatus& status, StepResult& result) {
  const CpuTime waited_for = cpu_time(status);
  result.user = waited_for.user;
  result.system = waited_for.system;
  if (cgroup_) {
    const CpuTime all = cgroup_->cpu_used();
    result.user = std::max(microseconds(0), all.user - cpu_before_.user);
    result.system = std::max(microseconds(0), all.system - cpu_before_.system);
  }
  result.peak_memory = peak_memory(status);
}

// A group that is used again keeps the highest use of its earlier jobs. Below that only what was seen is known.
std::uint64_t JobMeter::peak_memory(const ExitStatus& status) {
  highest_seen_ = std::max(highest_seen_, static_cast<std::uint64_t>(status.usage.ru_maxrss) * 1024);
  if (!memory_) return highest_seen_;
  const std::uint64_t peak = cgroup_->peak_memory();
  if (peak > former_peak_) return peak;
  highest_seen_ = std::max(highest_seen_, cgroup_->present_memory());
  return std::min(highest_seen_, former_peak_);
}

}  // namespace pbotvm::guest

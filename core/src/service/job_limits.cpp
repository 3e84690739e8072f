// SPDX-License-Identifier: MIT
#include "service/job_limits.h"

#include <algorithm>

namespace pbotvm::service {

namespace {

constexpr std::uint32_t default_open_files = 256;

template <typename Number>
void lower_to(Number& value, Number bound) {
  value = value == Number{} ? bound : std::min(value, bound);
}

}  // namespace

void fill_limits(const config::Configuration& configuration, Limits& limits) {
  lower_to(limits.wall, configuration.timeout);
  lower_to(limits.cpu, configuration.timeout);
  lower_to(limits.output, configuration.output_limit);
  lower_to(limits.memory, configuration.memory_limit);
  lower_to(limits.processes, configuration.process_limit);
  lower_to(limits.file_size, configuration.file_limit);
  lower_to(limits.open_files, default_open_files);
}

}  // namespace pbotvm::service

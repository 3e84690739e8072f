// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "containment.h"
#include "order.h"

namespace pbotvm::guest {

/// What a stub needs to become a process of its job. Descriptors are this program's.
struct StubPlace {
  const Containment& containment;
  int warden = -1;           ///< process descriptor whose namespaces to enter, -1: none
  std::uint64_t namespaces;  ///< which, beside its mounts, as for clone(2); it is born into its processes
  std::string directory;     ///< the job's, as seen inside
  int order, input, output, error;
};

/// Runs in a new process: takes the job's place and rights, then waits for an order. Never returns.
[[noreturn]] void run_stub(const StubPlace& place);

}  // namespace pbotvm::guest

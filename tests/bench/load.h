// SPDX-License-Identifier: MIT
#pragma once

// What happens when more than one thing is wanted at once.

#include "bench.h"
#include "host.h"
#include "pbotvm/transport.h"

namespace pbotvm::bench {

/// Eight clients at once against one, jobs a second.
ordered_json measure_clients(const Host& host, int count);

/// A job's output against the plain echo of as much.
ordered_json measure_throughput(Transport& transport, std::size_t bytes, int slots);

/// Of one request, to its client: 10^6 bytes a second.
double request_throughput(const Host& host, std::size_t bytes);

/// A quick job while another one writes without end.
ordered_json measure_cross_delay(Transport& transport, int count, int slots);

}  // namespace pbotvm::bench

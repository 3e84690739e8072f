// SPDX-License-Identifier: MIT
#include "load.h"

#include <atomic>
#include <thread>

#include "floor.h"
#include "pbotvm/error.h"

namespace pbotvm::bench {

namespace {

constexpr int many = 8;    // clients
constexpr int rounds = 3;  // in which what is compared takes turns, so that both see the same moods of the system

// So many requests by each of so many clients, one right after the other. Jobs a second.
double jobs_per_second(const Host& host, int clients, int each, std::atomic<int>& failed) {
  const double ms = milliseconds_of([&] {
    std::vector<std::thread> threads;
    for (int client = 0; client < clients; ++client) {
      threads.emplace_back([&] {
        for (int i = 0; i < each; ++i) {
          try {
            if (host.request("-lang=sh echo hello") != "hello\n") ++failed;
          } catch (const std::exception&) {
            ++failed;
          }
        }
      });
    }
    for (auto& thread : threads) thread.join();
  });
  return clients * each / ms * 1000;
}

double megabytes_per_second(std::size_t bytes, double ms) {
  return static_cast<double>(bytes) / 1e3 / ms;
}

}  // namespace

ordered_json measure_clients(const Host& host, int count) {
  std::atomic<int> failed{0};
  std::vector<double> one, eight;
  jobs_per_second(host, many, 1, failed);  // every slot is warm
  for (int round = 0; round < rounds; ++round) {
    one.push_back(jobs_per_second(host, 1, count, failed));
    eight.push_back(jobs_per_second(host, many, std::max(1, count / 4), failed));
  }
  return {{"one_jobs_per_s", rounded(percentile(one, 50))},
          {"eight_jobs_per_s", rounded(percentile(eight, 50))},
          {"ratio", rounded(percentile(eight, 50) / percentile(one, 50))},
          {"failed", failed.load()}};
}

ordered_json measure_throughput(Transport& transport, std::size_t bytes, int slots) {
  std::vector<double> echo, output;
  Floor floor(transport, slots);
  for (int round = 0; round < rounds; ++round) {
    echo.push_back(megabytes_per_second(bytes, floor.echo_bytes(bytes)));
    output.push_back(megabytes_per_second(bytes, floor.output_bytes(bytes)));
  }
  return {{"bytes", bytes},
          {"output_mb_per_s", rounded(percentile(output, 50))},
          {"echo_mb_per_s", rounded(percentile(echo, 50))},
          {"ratio", rounded(percentile(output, 50) / percentile(echo, 50))}};
}

double request_throughput(const Host& host, std::size_t bytes) {
  const std::string line = "-lang=sh printf %0" + std::to_string(bytes) + "d 7";
  std::vector<double> rates;
  for (int round = 0; round < rounds; ++round) {
    std::string reply;
    rates.push_back(megabytes_per_second(bytes, milliseconds_of([&] { reply = host.request(line); })));
    if (reply.size() + 1 < bytes)
      throw Error(ErrorCode::internal,
                  "a large reply ends with: " + reply.substr(reply.size() - std::min<std::size_t>(80, reply.size())));
  }
  return percentile(rates, 50);
}

ordered_json measure_cross_delay(Transport& transport, int count, int slots) {
  if (slots < 2) return {{"skipped", "it takes two slots"}};
  std::vector<double> alone, beside;
  Floor floor(transport, slots);
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < count; ++i) alone.push_back(floor.job());
    floor.start_flood();
    for (int i = 0; i < count; ++i) beside.push_back(floor.job());
    floor.end_flood();
  }
  return {{"alone_ms", summary(alone)},
          {"beside_a_flood_ms", summary(beside)},
          {"added_p50_ms", rounded(percentile(beside, 50) - percentile(alone, 50))},
          {"added_p95_ms", rounded(percentile(beside, 95) - percentile(alone, 95))}};
}

}  // namespace pbotvm::bench

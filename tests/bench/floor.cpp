// SPDX-License-Identifier: MIT
#include "floor.h"

#include <poll.h>

#include <algorithm>
#include <sstream>
#include <thread>

#include "pbotvm/error.h"

namespace pbotvm::bench {

namespace {

using namespace std::chrono_literals;
using machine::Session;

constexpr std::size_t echo_window = 8;               // frames on their way
constexpr std::uint64_t flood_limit = 1ull << 30;    // bytes; ended long before
constexpr std::size_t flood_head_start = 64 * 1024;  // bytes that arrive before anything else is measured

// Runs a bare fork and exec of `sh prog.sh` again and again, and prints the milliseconds of each. Its arguments: how
// often, and the microseconds of rest in between; then it does as many without a rest.
constexpr char exec_floor_source[] = R"(
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e3 + t.tv_nsec / 1e6; }
int main(int argc, char **argv) {
  (void)argc;
  int count = atoi(argv[1]);
  for (int i = 0; i < 2 * count; i++) {
    double begun = now();
    pid_t child = fork();
    if (child == 0) {
      int null = open("/dev/null", O_WRONLY);
      dup2(null, 1);
      execlp("sh", "sh", "prog.sh", (char *)0);
      _exit(127);
    }
    waitpid(child, 0, 0);
    printf("%.4f\n", now() - begun);
    if (i < count) usleep(atoi(argv[2]));
  }
  return 0;
}
)";

Job make_job(std::vector<JobFile> files, std::vector<Step> steps, std::chrono::seconds wall, std::uint64_t output) {
  Job job;
  job.files = std::move(files);
  job.steps = std::move(steps);
  job.limits = {wall, wall, output, 256u << 20, 64, 16u << 20, 64};
  return job;
}

Step shell(const std::string& command) {
  return Step{"run", {"sh", "-c", command}, {}, false, When::always};
}

}  // namespace

Floor::Floor(Transport& transport, int slots) : session_(transport.connect(Deadline::in(5s)), transport.description()) {
  Session::Opening opening;
  opening.slots = static_cast<std::uint32_t>(slots);
  for (int i = 0; i < 40; ++i) {
    i == 0 ? session_.hello(opening) : session_.repeat_hello();
    try {
      await(1s, "welcome", [](const Event& event) { return std::holds_alternative<Session::Welcomed>(event); });
      return;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::timed_out) throw;
    }
  }
  throw Error(ErrorCode::timed_out, "the guest does not answer");
}

double Floor::echo() {
  std::this_thread::sleep_for(rest);
  return milliseconds_of([&] {
    session_.ping(std::string(64, 'p'));
    await(5s, "an echo", [](const Event& event) { return std::holds_alternative<Session::Ponged>(event); });
  });
}

double Floor::job() {
  const Job job = make_job({{"prog.sh", "echo hello\n", 0644}},
                           {Step{"run", {"sh", "prog.sh"}, {}, true, When::always}}, 10s, 1 << 18);
  std::this_thread::sleep_for(rest);
  std::uint32_t id = 0;
  const double time = milliseconds_of([&] {
    id = start(job);
    await_of<Session::Ended>(id, 60s);
  });
  await_of<Session::Cleaned>(id, 5s);
  return time;
}

std::vector<double> Floor::bare_exec(int count) {
  const Step compile{"compile", {"gcc", "-O1", "floor.c", "-o", "floor"}, {}, false, When::always};
  const Step run{"run",
                 {"./floor", std::to_string(count), std::to_string(std::chrono::microseconds(rest).count())},
                 {},
                 false,
                 When::after_success};
  const auto id = start(make_job({{"floor.c", exec_floor_source, 0644}, {"prog.sh", "echo hello\n", 0644}},
                                 {compile, run}, 60s, 1 << 20));
  const auto ended = await_of<Session::Ended>(id, 90s);
  std::string text;
  for (const auto& chunk : ended.result.output) text += chunk.bytes;
  std::istringstream lines(text);
  std::vector<double> times;
  for (double time; lines >> time;) times.push_back(time);
  if (times.size() != 2 * static_cast<std::size_t>(count)) {
    throw Error(ErrorCode::internal, "the bare fork and exec said: " + text);
  }
  await_of<Session::Cleaned>(id, 5s);
  return times;
}

double Floor::echo_bytes(std::size_t bytes) {
  const std::string payload(protocol::max_payload, 'e');
  const std::size_t frames = std::max<std::size_t>(1, bytes / payload.size());
  return milliseconds_of([&] {
    std::size_t sent = 0;
    for (std::size_t got = 0; got < frames; ++got) {
      while (sent < frames && sent < got + echo_window) {
        session_.ping(payload);
        ++sent;
      }
      await(60s, "an echo", [](const Event& event) { return std::holds_alternative<Session::Ponged>(event); });
    }
  });
}

double Floor::output_bytes(std::size_t bytes) {
  const auto id = start(make_job({}, {shell("head -c " + std::to_string(bytes) + " /dev/zero")}, 120s, bytes), true);
  std::size_t got = 0, first = 0;
  Clock::time_point begun{};
  const auto take = [&](const Event& event) {
    if (const auto* ended = std::get_if<Session::Ended>(&event)) {
      throw Error(ErrorCode::internal, "the output ended after " + std::to_string(got) + " bytes" + ended->error);
    }
    const auto* printed = std::get_if<Session::Printed>(&event);
    if (printed == nullptr) return false;
    if (got == 0) {
      begun = Clock::now();
      first = printed->chunk.bytes.size();
    }
    got += printed->chunk.bytes.size();
    return got >= bytes;
  };
  await(120s, "output", take);
  const double time = std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
  await_of<Session::Cleaned>(id, 10s);
  return time * static_cast<double>(bytes) / static_cast<double>(bytes - first);
}

void Floor::start_flood() {
  flood_ = start(make_job({}, {shell("exec yes")}, 600s, flood_limit), true);
  std::size_t got = 0;
  await(60s, "a flood", [&](const Event& event) {
    const auto* printed = std::get_if<Session::Printed>(&event);
    if (printed != nullptr) got += printed->chunk.bytes.size();
    return got >= flood_head_start;
  });
}

void Floor::end_flood() {
  session_.cancel(flood_);
  await_of<Session::Cleaned>(flood_, 10s);
}

std::uint32_t Floor::start(const Job& job, bool progress) {
  session_.start_job(++last_job_, job, {progress, false});
  return last_job_;
}

template <typename Wanted>
Wanted Floor::await_of(std::uint32_t job, std::chrono::seconds patience) {
  std::optional<Wanted> found;
  await(patience, "a job's end", [&](const Event& event) {
    if (const auto* refused = std::get_if<Session::Refused>(&event)) {
      throw Error(ErrorCode::refused, "the guest refused a job: " + refused->refusal.text);
    }
    if (const auto* faulted = std::get_if<Session::Faulted>(&event)) throw Error(ErrorCode::protocol, faulted->why);
    const auto* wanted = std::get_if<Wanted>(&event);
    if (wanted == nullptr || wanted->job != job) return false;
    found = *wanted;
    return true;
  });
  return std::move(*found);
}

// Events that are not wanted are passed over.
void Floor::await(std::chrono::seconds patience, const char* what, const std::function<bool(const Event&)>& wanted) {
  for (const auto deadline = Deadline::in(patience); !deadline.expired();) {
    for (; !pending_.empty(); pending_.pop_front()) {
      if (!wanted(pending_.front())) continue;
      pending_.pop_front();
      return;
    }
    pollfd fd{session_.fd(), static_cast<short>(POLLIN | (session_.wants_to_write() ? POLLOUT : 0)), 0};
    for (auto& event : session_.pump()) pending_.push_back(std::move(event));
    session_.check();
    if (!pending_.empty()) continue;
    if (session_.wants_to_write()) fd.events |= POLLOUT;
    ::poll(&fd, 1, deadline.poll_timeout());
  }
  throw Error(ErrorCode::timed_out, std::string("it did not come: ") + what);
}

}  // namespace pbotvm::bench

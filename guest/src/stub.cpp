// SPDX-License-Identifier: MIT
#include "stub.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "seccomp_filter.h"
#include "system.h"

namespace pbotvm::guest {
namespace {

constexpr int order_fd = 3;

void check(int result, const char* what) {
  if (result < 0) throw SystemError(what);
}

// A program may open its own standard streams once more, as /dev/stdout, only when they are its user's.
void own_streams(const StubPlace& place) {
  if (geteuid() != 0) return;
  for (const int stream : {place.input, place.output, place.error}) {
    check(fchown(stream, place.containment.uid(), place.containment.gid()), "fchown");
  }
}

// The rest was settled when this program started: rights.h.
void take_rights(const Containment& containment) {
  if (geteuid() != 0 || containment.uid() == 0) return;
  check(setgroups(0, nullptr), "setgroups");
  check(setresgid(containment.gid(), containment.gid(), containment.gid()), "setresgid");
  check(setresuid(containment.uid(), containment.uid(), containment.uid()), "setresuid");
}

// Each first goes to a number that none of them has, so that none overwrites another.
void take_descriptors(const StubPlace& place) {
  int sources[] = {place.input, place.output, place.error, place.order};
  for (int& source : sources) check(source = fcntl(source, F_DUPFD, order_fd + 1), "dup");
  for (int target = 0; target < order_fd; ++target) check(dup2(sources[target], target), "dup2");
  check(dup3(sources[order_fd], order_fd, O_CLOEXEC), "dup3");
  check(close_range(order_fd + 1, ~0U, 0), "close_range");
}

void take_place(const StubPlace& place) {
  prctl(PR_SET_NAME, "pbotvm-stub");
  if (place.warden >= 0) check(setns(place.warden, static_cast<int>(CLONE_NEWNS | place.namespaces)), "setns");
  check(setsid(), "setsid");
  // Out of the protection that the program itself enjoys. Not there to be lost where it was not given.
  if (place.containment.given("priority")) write_file("/proc/self/oom_score_adj", "0");
  signal(SIGPIPE, SIG_DFL);  // the only one that is not: main.cpp
  // Without hardware virtualisation translated machine code is found again only at the same address: starting a program
  // takes a fifth of the time. A job has nobody to hide its addresses from.
  personality(ADDR_NO_RANDOMIZE);
  umask(022);
  own_streams(place);
  // Before the rights go: an earlier step may have closed the directory to itself, which is its own affair and not a
  // reason why the job could not be run.
  check(chdir(place.directory.c_str()), "chdir");
  take_rights(place.containment);
}

}  // namespace

void run_stub(const StubPlace& place) {
  int complaints = place.order;
  try {
    take_place(place);
    take_descriptors(place);
    complaints = order_fd;
    if (place.containment.given("filter")) enter_filter();
  } catch (const SystemError& error) {
    const std::string text = std::string("j") + error.what();
    [[maybe_unused]] const auto written = write(complaints, text.data(), text.size());
    _exit(1);
  }
  carry_out_order(order_fd);
}

}  // namespace pbotvm::guest

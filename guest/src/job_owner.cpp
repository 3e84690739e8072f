// SPDX-License-Identifier: MIT
#include "job_owner.h"

#include <algorithm>
#include <utility>

#include "job_run.h"

namespace pbotvm::guest {

void JobOwner::send_part(protocol::FrameType type, bool more, std::uint32_t job, std::string_view head,
                         std::string_view body) {
  parts_.append(head).append(body);
  if (!more) send(type, job, std::exchange(parts_, {}));
}

void JobOwner::want_turn(JobRun& run) {
  if (std::find(turns_.begin(), turns_.end(), &run) == turns_.end()) turns_.push_back(&run);
  give_turns();
}

void JobOwner::drop_turn(const JobRun& run) {
  std::erase(turns_, &run);
}

void JobOwner::give_turns() {
  if (giving_) return;  // a job that asks again in its turn: the loop below sees it
  giving_ = true;
  while (!turns_.empty()) {
    const std::size_t bytes = room();
    if (bytes == 0) break;
    JobRun* const run = turns_.front();
    turns_.pop_front();
    run->on_turn(bytes);
  }
  giving_ = false;
}

}  // namespace pbotvm::guest

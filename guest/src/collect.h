// SPDX-License-Identifier: MIT
#pragma once

// The files that a job wants taken back. A collector, which is a stub with the job's own rights in the job's own
// sandbox, finds them when every process of the job is gone, and writes a list and then their content to its standard
// output, where the main loop reads them.

#include <cstdint>
#include <string>
#include <string_view>

#include "order_stream.h"
#include "pbotvm/job.h"
#include "protocol/messages.h"

namespace pbotvm::guest {

// What holds where a job names no bounds.
inline constexpr std::uint32_t default_collected_files = 64;
inline constexpr std::uint64_t default_collected_bytes = 4 << 20;

void append_collect_order(std::string& to, const Collection& collection);

/// The collector: reads the rest of its order, walks the present directory without following a link, writes to `out`.
/// Bounded in time, entries, depth and memory, whatever it finds. Never returns.
[[noreturn]] void carry_out_collection(OrderReader& order, int out);

/// The main loop's side: makes a list from what a collector writes before the files' content. A collector is inside
/// the sandbox, so nothing that it says is taken on trust. Throws protocol::MessageError for what is no list.
class FoundList {
 public:
  /// Bytes that belong to the list and have not come: no more are to be read for it. 0: it is whole.
  std::size_t due() const { return due_; }
  void add(std::string_view bytes);
  /// The whole list.
  protocol::Collected take() const;

 private:
  std::string bytes_;
  std::size_t due_ = sizeof(std::uint64_t);
  bool size_known_ = false;
};

}  // namespace pbotvm::guest

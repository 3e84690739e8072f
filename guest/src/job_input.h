// SPDX-License-Identifier: MIT
#pragma once

// A job's standard input on its way into the pipes of the steps that read it. Each of them reads it from its beginning,
// as long as it is at most max_kept_input bytes; a longer one is for the first of them, and the others find it empty.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "event_loop.h"

namespace pbotvm::guest {

inline constexpr std::size_t max_kept_input = 1 << 20;

class JobInput {
 public:
  /// `readers`: steps that may read it. `grant` is called with a number of bytes that the host may send beyond the
  /// first credit.
  JobInput(EventLoop& loop, std::size_t readers, std::function<void(std::uint32_t)> grant);

  void add(std::string_view bytes);  ///< throws protocol::MessageError beyond the credit
  void end();

  /// A step begins; `pipe` is the writing end of its standard input. One that does not read finds an end of file.
  void open(UniqueFd& pipe, bool reads);
  /// The step has ended.
  void close();

 private:
  void pump();
  void let_go();

  EventLoop& loop_;
  std::size_t readers_;  // that have not begun
  std::function<void(std::uint32_t)> grant_;
  std::string bytes_;
  std::uint64_t begin_ = 0;  // where bytes_ begins in the whole input
  std::uint64_t given_ = 0;  // to the present step, counted in the whole input
  std::uint64_t most_given_ = 0;
  std::uint64_t received_ = 0, allowed_;
  bool ended_ = false;
  UniqueFd* pipe_ = nullptr;
  std::unique_ptr<Watch> watch_;
};

}  // namespace pbotvm::guest

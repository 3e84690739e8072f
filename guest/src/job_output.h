// SPDX-License-Identifier: MIT
#pragma once

// What a job prints, on its way from the pipes of its steps to its owner: read in turns, within the host's credit and
// the job's own bound.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "event_loop.h"
#include "pbotvm/job.h"
#include "protocol/messages.h"

namespace pbotvm::guest {

class JobOutput {
 public:
  struct Events {
    std::function<void()> want_turn;  ///< turn() is wanted; it may be called at once
    std::function<void(Stream, std::string_view)> print;
    std::function<void()> on_limit;  ///< the job has printed more than its bound
  };
  /// `limit`: bytes of all steps together.
  JobOutput(EventLoop& loop, std::uint64_t limit, Events events);

  /// A step begins; these are the reading ends of its output and its errors. `crowd`: jobs that share the processor: in
  /// a crowd a step takes longer, and is let alone for longer.
  void open(UniqueFd& out, UniqueFd& err, std::size_t crowd);
  /// Its process has ended: what is in the pipes now is the last of it. What others still write is not waited for.
  void end();
  bool ended() const;  ///< and nothing of it is left to be read
  void close();

  /// Reads and prints at most `room` bytes.
  void turn(std::size_t room);

  /// The host takes so many bytes more. Collected files are counted, too.
  void add_credit(std::uint64_t bytes);
  std::uint64_t credit() const { return credit_; }
  void spend_credit(std::uint64_t bytes) { credit_ -= bytes; }

  /// A limit has struck: at most `most` bytes still come, and no credit is waited for.
  void cut_short(std::uint64_t most);

  std::uint64_t bytes_cut() const { return cut_; }                     ///< of all steps
  std::uint64_t step_bytes_cut() const { return cut_ - cut_before_; }  ///< of the present or last one

 private:
  struct Pipe {
    Stream stream;
    UniqueFd* fd = nullptr;
    std::unique_ptr<Watch> watch;
    bool ready = false;  // something can be read
    bool lengthened = false;
    bool little = false;     // was all that was read last
    std::uint64_t left = 0;  // after the end: bytes that were in it
  };
  void watch();
  void on_readable(Pipe& pipe);
  std::size_t read_some(Pipe& pipe, std::size_t most);
  void take(Stream stream, std::string_view bytes);
  void settle();

  EventLoop& loop_;
  const std::uint64_t limit_;
  Events events_;
  std::array<Pipe, 2> pipes_;
  std::size_t first_ = 0;  // whose turn comes first
  enum class State { closed, open, ended } state_ = State::closed;
  std::uint64_t credit_ = protocol::initial_output_credit;
  std::uint64_t sent_ = 0, cut_ = 0, cut_before_ = 0;
  bool limited_ = false, struck_ = false;
  std::uint64_t last_words_ = 0;  // bytes that still come after a strike
  Timer delay_;
};

}  // namespace pbotvm::guest

// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "machine/session.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

namespace pbotvm::machine {

/// What the guest has told of one job. Checks every frame of it against what the job asked for and what came before;
/// docs/protocol.md, sections 6 and 9. The machine's thread only.
class JobReceipt {
 public:
  JobReceipt(std::uint32_t id, const Job& job, bool progress);

  /// Takes a frame of the job and appends what it means to `events`. Throws protocol::MessageError for one that must
  /// not come: the job is not to be used any more then.
  void take(const protocol::Frame& frame, std::vector<Session::Event>& events);

  /// Whether the result came; whether nothing more comes.
  bool ended() const { return ended_; }
  bool over() const { return over_; }

  /// Credit that is to be given back to the guest now, bytes; 0: not yet.
  std::uint32_t take_credit();

  /// What was printed until now, taken out.
  Result abandon();

 private:
  void take_output(const std::string& payload, std::vector<Session::Event>& events);
  void take_step(const std::string& text, std::vector<Session::Event>& events);
  void take_collected(const std::string& text);
  void take_file(const std::string& payload);
  void take_ending(const std::string& text, std::vector<Session::Event>& events);
  void skip_whole_files();
  void hand_over_files();

  const std::uint32_t id_;
  const bool progress_;
  const std::uint32_t steps_;
  const Collection wanted_;
  Result result_;
  std::uint64_t output_bytes_ = 0;
  std::uint32_t uncredited_ = 0;  // bytes taken since the last credit
  std::optional<protocol::Collected> collected_;
  std::size_t file_ = 0;  // of collected_, that is due
  bool ended_ = false, over_ = false;
  protocol::MessageAssembler step_text_{protocol::max_small_message}, ending_text_{protocol::max_small_message},
      clean_text_{protocol::max_small_message}, refusal_text_{protocol::max_small_message}, collected_text_;
};

}  // namespace pbotvm::machine

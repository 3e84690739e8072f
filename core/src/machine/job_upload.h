// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pbotvm/job.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

namespace pbotvm::machine {

/// What the guest is still to be told of one job: its announcement, its files, its input, that it is cancelled. Cut
/// into frames that are asked for one by one, so that several jobs share a line. The machine's thread only.
class JobUpload {
 public:
  /// Copies what it needs. `input_whole`: nothing is added to the job's own input.
  JobUpload(const Job& job, bool input_whole);

  void add_input(std::string_view bytes);
  void end_input() { input_whole_ = true; }
  void grant(std::uint32_t bytes) { credit_ += bytes; }  ///< the guest takes so much more input
  void cancel();                                         ///< instead of all that is left but the announcement
  void drop();                                           ///< the job has ended: nothing more is sent

  /// Whether the announcement has begun and is not whole: no other job's may begin then.
  bool announcing() const { return announced_ > 0 && !announcement_.empty(); }
  bool announced() const { return announcement_.empty(); }

  /// Whether there is something to send now.
  bool ready() const;

  struct Piece {
    protocol::FrameType type;
    bool more = false;
    std::string payload;
  };
  /// The next frame. Only when ready().
  Piece next();

  std::size_t input_waiting() const { return input_.size() - input_sent_; }  ///< bytes

 private:
  Piece next_of_announcement();
  Piece next_of_files();
  Piece next_of_input();

  std::string announcement_;  // empty: sent
  std::size_t announced_ = 0;
  std::vector<std::string> files_;
  std::size_t file_ = 0, file_sent_ = 0;
  std::string input_;
  std::size_t input_sent_ = 0;
  bool input_whole_, input_ended_ = false;
  bool cancelled_ = false;
  std::uint64_t credit_ = protocol::initial_input_credit;
};

}  // namespace pbotvm::machine

// SPDX-License-Identifier: MIT
#pragma once

// The files that a job gives back, on their way from a collector's pipe to the job's owner: a list, then their content,
// in turns and within the same credit as output.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "collect.h"
#include "event_loop.h"
#include "job_output.h"
#include "protocol/frame.h"

namespace pbotvm::guest {

class JobCollection {
 public:
  struct Events {
    std::function<void()> want_turn;  ///< turn() is wanted; it may be called at once
    std::function<void(protocol::FrameType, bool more, std::string_view head, std::string_view body)> send;
    std::function<void()> on_progress;
    std::function<void()> on_whole;                         ///< everything was sent
    std::function<void(const std::string& why)> on_broken;  ///< the collector did not do what it must
  };
  /// `credit` is where credit is kept.
  JobCollection(EventLoop& loop, JobOutput& credit, Events events);

  /// `pipe`: the reading end of the collector's standard output.
  void open(UniqueFd& pipe);
  void turn(std::size_t room);
  void settle();  ///< there is more credit
  void close();

  bool announced() const { return announced_; }  ///< the list is whole and being sent

  /// Sends a list instead that says of every pattern why nothing comes.
  void refuse(const Collection& collection, const std::string& why);

 private:
  void announce(const protocol::Collected& collected);
  void on_readable();
  void read_list();
  void send_list(std::size_t room);
  void send_content(std::size_t room);
  void next_file();

  EventLoop& loop_;
  JobOutput& credit_;
  Events events_;
  UniqueFd* pipe_ = nullptr;
  std::unique_ptr<Watch> watch_;
  bool ready_ = false, announced_ = false, whole_ = false;
  FoundList found_;
  std::string list_;           // as JSON
  std::size_t list_sent_ = 0;  // bytes of it
  std::vector<std::uint64_t> sizes_;
  std::uint32_t file_ = 0;       // whose content comes
  std::uint64_t file_left_ = 0;  // bytes of it
};

}  // namespace pbotvm::guest

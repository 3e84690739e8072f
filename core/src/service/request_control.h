// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "machine/execution.h"

namespace pbotvm::service {

/// The other direction of a request that runs: its client's input, and its wish to end. Any thread may speak while
/// another one runs the request; what is said before the job is on its way waits for it.
class RequestControl {
 public:
  static constexpr std::size_t max_waiting_input = 1u << 20;  ///< bytes that wait for the job to be on its way

  // ---- the front end's side

  /// The client wants the request no more, or is gone.
  void cancel();

  /// The client said something wrong: `text` becomes the request's last event, and the job ends.
  void refuse(const std::string& text);

  /// The reply did not reach the client: what was noted for the case that it does is taken back. Once, after the
  /// request has ended, by the thread that ran it.
  void reply_lost();

  /// False when so much waits already that nothing was taken: to be tried again a little later.
  bool add_input(std::string_view bytes);
  void end_input();

  // ---- the service's side

  std::stop_token stop_token() const { return stop_.get_token(); }
  bool cancelled() const { return stop_.stop_requested(); }
  std::string refusal() const;

  /// Called where the reply is lost. Set by the thread that runs the request.
  void on_reply_lost(std::function<void()> undo) { undo_ = std::move(undo); }

  /// Hands over what was said until now; later words go to it directly.
  void attach(std::shared_ptr<machine::Execution> execution);
  void detach();

 private:
  mutable std::mutex mutex_;
  std::stop_source stop_;
  std::shared_ptr<machine::Execution> execution_;  // shared as Execution says
  std::string pending_;
  bool input_ended_ = false;
  bool detached_ = false;
  std::string refusal_;
  std::function<void()> undo_;  // of the thread that runs the request
};

}  // namespace pbotvm::service

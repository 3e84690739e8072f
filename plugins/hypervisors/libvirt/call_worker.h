// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "connection.h"
#include "pbotvm/deadline.h"

namespace pbotvm::libvirt {

/// For opening a connection. A daemon that runs does it in milliseconds, one that has just started in some seconds, one
/// that hangs lets it wait for ever: https://libvirt.org/html/libvirt-libvirt-host.html#virConnectOpen has no limit.
inline constexpr std::chrono::seconds open_time{10};

/// Runs calls of libvirt, which may block for as long as they like, on a thread that can be left behind: the caller
/// comes back by its deadline. The thread owns the connection, makes it when it is needed, and makes it anew when the
/// daemon was away. One caller at a time.
class CallWorker {
 public:
  CallWorker(Subject subject, std::shared_ptr<DomainWatch> watch);
  ~CallWorker();
  CallWorker(const CallWorker&) = delete;
  CallWorker& operator=(const CallWorker&) = delete;

  /// What `function(Connection&)` returns or throws; Error{timed_out} at the deadline, or after open_time where no
  /// connection came about until then. The function may still run then: it owns or shares all that it uses. `doing` is
  /// for the text of that error.
  template <typename Function>
  auto call(const Deadline& deadline, const std::string& doing, Function function) {
    using Result = std::invoke_result_t<Function, Connection&>;
    const auto promise = std::make_shared<std::promise<Result>>();  // shared: the caller may leave before it is kept
    const auto opened = std::make_shared<std::promise<void>>();     // the same
    std::future<Result> done = promise->get_future();
    const std::future<void> begun = opened->get_future();
    post([promise, opened, function = std::move(function)](Connection* connection, std::exception_ptr problem) mutable {
      opened->set_value();
      try {
        if (problem) std::rethrow_exception(problem);
        if constexpr (std::is_void_v<Result>) {
          function(*connection);
          promise->set_value();
        } else {
          promise->set_value(function(*connection));
        }
      } catch (...) {
        promise->set_exception(std::current_exception());
      }
    });
    await_begin(begun, deadline, doing);
    if (done.wait_until(deadline.point()) != std::future_status::ready) abandon(doing);
    return done.get();
  }

  /// Has the connection made anew where it was lost, and the domain looked at now and then, if nothing else is being
  /// done. Never blocks; the watch tells what was found.
  void look_soon() noexcept;

 private:
  /// Called with a connection, or with why there is none.
  using Job = std::function<void(Connection*, std::exception_ptr)>;
  struct State;

  void post(Job job);
  State& state();
  void await_begin(const std::future<void>& begun, const Deadline& deadline, const std::string& doing);
  void give_up();
  [[noreturn]] void abandon(const std::string& doing);
  static void run(const std::shared_ptr<State>& state);

  const Subject subject_;
  const std::shared_ptr<DomainWatch> watch_;
  std::thread thread_;            // runs while there is a state_
  std::shared_ptr<State> state_;  // shared with the thread, which may be left behind
  std::vector<std::weak_ptr<State>> abandoned_;
};

}  // namespace pbotvm::libvirt

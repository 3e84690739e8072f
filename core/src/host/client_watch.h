// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "pbotvm/deadline.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::host {

/// Looks after the sockets of clients whose requests run, with one thread for all of them: the thread that runs a
/// request waits for its job meanwhile.
class ClientWatch {
 public:
  /// Throws Error{unavailable}.
  ClientWatch();
  /// No client is being watched any more.
  ~ClientWatch();
  ClientWatch(const ClientWatch&) = delete;
  ClientWatch& operator=(const ClientWatch&) = delete;

  /// What is to happen after something was read.
  enum class Next {
    read,   ///< more, as soon as it is there
    pause,  ///< the same call again a little later, whether more is there or not
    stop,   ///< nothing more is to be read
  };

  /// Called by the watching thread, which serves everybody: must be quick, must not throw.
  struct Callbacks {
    std::function<void()> gone;      ///< both directions are closed, or the connection was reset; once
    std::function<Next()> readable;  ///< null: not asked for
  };

  /// As long as this lives the socket is watched; afterwards no callback runs.
  class Watch {
   public:
    Watch(ClientWatch& owner, std::uint64_t id) : owner_(owner), id_(id) {}
    ~Watch() { owner_.forget(id_); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    ClientWatch& owner_;
    const std::uint64_t id_;
  };

  /// Any thread. The descriptor stays open as long as the watch.
  [[nodiscard]] std::unique_ptr<Watch> watch(int fd, Callbacks callbacks);

 private:
  struct Client {
    std::mutex mutex;  // held during its callbacks
    int fd = -1;       // -1: forgotten
    bool reads = false;
    Callbacks callbacks;
  };

  void forget(std::uint64_t id);
  void run();
  void serve(std::uint64_t id, std::uint32_t events);
  void read(std::uint64_t id, Client& client);
  void take_up_paused();

  UniqueFd epoll_, ending_;
  std::mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<Client>> clients_;  // shared: forgotten by one thread while another serves it
  std::uint64_t last_id_ = 0;
  std::vector<std::uint64_t> paused_;  // the watching thread's own, as is the next
  Deadline resume_at_ = Deadline::in({});
  std::thread thread_;
};

}  // namespace pbotvm::host

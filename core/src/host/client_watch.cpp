// SPDX-License-Identifier: MIT
#include "host/client_watch.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "pbotvm/error.h"

namespace pbotvm::host {

namespace {

constexpr std::uint64_t ending_id = 0;
constexpr int events_at_once = 64;
constexpr std::chrono::milliseconds pause_time{20};

[[noreturn]] void fail(const char* what) {
  throw Error(ErrorCode::unavailable, errno_text(what, errno));
}

// Hang-ups and errors are told in any case.
epoll_event event_of(std::uint64_t id, bool reads) {
  epoll_event event{};
  if (reads) event.events = EPOLLIN;
  event.data.u64 = id;
  return event;
}

}  // namespace

ClientWatch::ClientWatch() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), ending_(::eventfd(0, EFD_CLOEXEC)) {
  if (!epoll_ || !ending_) fail("watch clients");
  auto event = event_of(ending_id, true);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, ending_.get(), &event) != 0) fail("watch clients");
  thread_ = std::thread([this] { run(); });
}

ClientWatch::~ClientWatch() {
  ::eventfd_write(ending_.get(), 1);
  thread_.join();
}

std::unique_ptr<ClientWatch::Watch> ClientWatch::watch(int fd, Callbacks callbacks) {
  auto client = std::make_shared<Client>();
  client->fd = fd;
  client->callbacks = std::move(callbacks);
  const bool reads = client->callbacks.readable != nullptr;
  client->reads = reads;
  std::uint64_t id = 0;
  {
    std::lock_guard lock(mutex_);
    id = ++last_id_;
    clients_.emplace(id, std::move(client));
  }
  auto watch = std::make_unique<Watch>(*this, id);
  auto event = event_of(id, reads);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) fail("watch a client");
  return watch;
}

void ClientWatch::forget(std::uint64_t id) {
  std::shared_ptr<Client> client;
  {
    std::lock_guard lock(mutex_);
    const auto found = clients_.find(id);
    client = std::move(found->second);
    clients_.erase(found);
  }
  std::lock_guard lock(client->mutex);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, client->fd, nullptr);
  client->fd = -1;
}

void ClientWatch::run() {
  epoll_event events[events_at_once];
  for (;;) {
    const int patience = paused_.empty() ? -1 : resume_at_.poll_timeout();
    const int count = ::epoll_wait(epoll_.get(), events, events_at_once, patience);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == ending_id) return;
      serve(events[i].data.u64, events[i].events);
    }
    if (!paused_.empty() && resume_at_.expired()) take_up_paused();
  }
}

void ClientWatch::take_up_paused() {
  for (const auto id : std::exchange(paused_, {})) serve(id, EPOLLIN);
}

void ClientWatch::serve(std::uint64_t id, std::uint32_t events) {
  std::shared_ptr<Client> client;
  {
    std::lock_guard lock(mutex_);
    const auto found = clients_.find(id);
    if (found == clients_.end()) return;
    client = found->second;
  }
  std::lock_guard lock(client->mutex);
  if (client->fd < 0) return;
  if ((events & EPOLLIN) != 0 && client->callbacks.readable) read(id, *client);
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, client->fd, nullptr);
    client->callbacks.gone();
  }
}

void ClientWatch::read(std::uint64_t id, Client& client) {
  const Next next = client.callbacks.readable();
  if (next == Next::pause && paused_.empty()) resume_at_ = Deadline::in(pause_time);
  if (next == Next::pause) paused_.push_back(id);
  if (next == Next::stop) client.callbacks.readable = nullptr;
  const bool reads = next == Next::read;
  if (reads == client.reads) return;
  client.reads = reads;
  auto event = event_of(id, reads);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, client.fd, &event);
}

}  // namespace pbotvm::host

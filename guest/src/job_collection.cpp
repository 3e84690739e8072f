// SPDX-License-Identifier: MIT
#include "job_collection.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>

namespace pbotvm::guest {
namespace {

using protocol::FrameType;

constexpr std::size_t file_header = 4;     // of a FILE frame's payload
constexpr int long_pipe = 256 * 1024;      // so that collector and this program take fewer turns on the processor
constexpr std::uint64_t much = 64 * 1024;  // bytes of files that are worth a long pipe

}  // namespace

JobCollection::JobCollection(EventLoop& loop, JobOutput& credit, Events events)
    : loop_(loop), credit_(credit), events_(std::move(events)) {}

void JobCollection::open(UniqueFd& pipe) {
  pipe_ = &pipe;
  settle();
}

void JobCollection::close() {
  watch_.reset();
  pipe_ = nullptr;
}

// Watches, or asks for a turn, as what is due next needs it.
void JobCollection::settle() {
  if (!pipe_ || whole_) return;
  if (announced_ && list_sent_ < list_.size()) return events_.want_turn();
  const bool content = announced_;
  if (content && ready_ && credit_.credit() > 0) return events_.want_turn();
  if (!ready_ && !watch_) {
    watch_ = std::make_unique<Watch>(loop_, pipe_->get(), EPOLLIN, [this](std::uint32_t) { on_readable(); });
  }
}

void JobCollection::on_readable() {
  if (!announced_) return read_list();
  ready_ = true;
  if (credit_.credit() > 0) events_.want_turn();
  if (ready_) watch_.reset();  // nothing more is to be told until it was read
}

void JobCollection::read_list() {
  char bytes[protocol::max_payload];
  const auto size = read(pipe_->get(), bytes, std::min(found_.due(), sizeof bytes));
  if (size < 0) return;
  if (size == 0) {
    watch_.reset();
    return events_.on_broken("the collector ended");
  }
  try {
    found_.add({bytes, static_cast<std::size_t>(size)});
    if (found_.due() == 0) announce(found_.take());
  } catch (const protocol::MessageError& error) {
    watch_.reset();
    events_.on_broken(error.what());
  }
}

void JobCollection::announce(const protocol::Collected& collected) {
  list_ = protocol::encode(collected);
  sizes_ = collected.sizes;
  announced_ = true;
  watch_.reset();
  if (std::accumulate(sizes_.begin(), sizes_.end(), std::uint64_t{0}) > much) {
    fcntl(pipe_->get(), F_SETPIPE_SZ, long_pipe);  // refused: it stays as it is
  }
  file_ = 0;
  next_file();
  events_.on_progress();
  settle();
}

void JobCollection::refuse(const Collection& collection, const std::string& why) {
  protocol::Collected nothing;
  for (const auto& pattern : collection.patterns) nothing.left_behind.push_back({pattern, why});
  list_ = protocol::encode(nothing);
  while (list_sent_ < list_.size()) send_list(protocol::max_payload);
}

void JobCollection::next_file() {
  while (file_ < sizes_.size() && sizes_[file_] == 0) ++file_;
  file_left_ = file_ < sizes_.size() ? sizes_[file_] : 0;
}

void JobCollection::turn(std::size_t room) {
  if (list_sent_ < list_.size()) {
    send_list(room);
  } else if (ready_) {
    send_content(room);
  }
  if (!pipe_) return;  // it broke
  events_.on_progress();
  if (list_sent_ == list_.size() && file_ == sizes_.size()) {
    whole_ = true;
    watch_.reset();
    return events_.on_whole();
  }
  settle();
}

void JobCollection::send_list(std::size_t room) {
  const auto part = std::string_view(list_).substr(list_sent_, std::min(room, protocol::max_payload));
  list_sent_ += part.size();
  events_.send(FrameType::collected, list_sent_ < list_.size(), {}, part);
}

void JobCollection::send_content(std::size_t room) {
  char bytes[protocol::max_payload - file_header];
  if (room <= file_header) return;
  const auto most = std::min<std::uint64_t>({room - file_header, sizeof bytes, file_left_, credit_.credit()});
  const auto size = read(pipe_->get(), bytes, static_cast<std::size_t>(most));
  ready_ = false;
  if (size < 0) return;
  if (size == 0) return events_.on_broken("the collector ended");
  const auto head = protocol::encode_file_piece(file_, {});
  credit_.spend_credit(static_cast<std::uint64_t>(size));
  file_left_ -= static_cast<std::uint64_t>(size);
  events_.send(FrameType::file, false, head, {bytes, static_cast<std::size_t>(size)});
  if (file_left_ > 0) return;
  ++file_;
  next_file();
}

}  // namespace pbotvm::guest

// SPDX-License-Identifier: MIT
#include "order_stream.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace pbotvm::guest {

OrderReader::OrderReader(int socket) : socket_(socket) {
  std::memset(buffer_, 0, sizeof buffer_);
  volatile char last = std::string(sizeof buffer_, ' ').back();
  (void)last;
}

std::string OrderReader::text() {
  const auto size = number<std::uint32_t>();
  std::string text;
  while (text.size() < size) text += some(size - text.size());
  return text;
}

std::string_view OrderReader::some(std::size_t limit) {
  if (begin_ == end_) fill();
  const std::size_t size = std::min(limit, end_ - begin_);
  begin_ += size;
  return {buffer_ + begin_ - size, size};
}

std::string_view OrderReader::take(std::size_t size) {
  std::memmove(buffer_, buffer_ + begin_, end_ - begin_);
  end_ -= std::exchange(begin_, 0);
  while (end_ < size) fill();
  begin_ = size;
  return {buffer_, size};
}

void OrderReader::fill() {
  constexpr int exit_alone = 126;
  if (begin_ == end_) begin_ = end_ = 0;
  const auto size = read(socket_, buffer_ + end_, sizeof buffer_ - end_);
  if (size < 0 && errno == EINTR) return fill();
  if (size <= 0) _exit(exit_alone);
  end_ += static_cast<std::size_t>(size);
}

}  // namespace pbotvm::guest

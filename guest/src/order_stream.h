// SPDX-License-Identifier: MIT
#pragma once

// How the main loop and its stubs write numbers and texts to each other. One machine, one program: its own byte order.

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace pbotvm::guest {

template <typename Number>
void append_number(std::string& to, Number value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

inline void append_text(std::string& to, std::string_view text) {
  append_number<std::uint32_t>(to, static_cast<std::uint32_t>(text.size()));
  to.append(text);
}

/// Reads exactly what is asked for; the process ends when the other side is gone.
class OrderReader {
 public:
  /// Touches the memory that reading an order will need: a stub's first write to a page costs a fault, better now than
  /// when the job is there.
  explicit OrderReader(int socket);

  template <typename Number>
  Number number() {
    Number value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string text();
  /// Between one and `limit` bytes, valid until the next call.
  std::string_view some(std::size_t limit);

  int socket() const { return socket_; }

 private:
  std::string_view take(std::size_t size);
  void fill();

  int socket_;
  char buffer_[16 * 1024];
  std::size_t begin_ = 0, end_ = 0;
};

}  // namespace pbotvm::guest

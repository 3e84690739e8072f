// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "pbotvm/transport.h"

namespace pbotvm::transports {

/// How a guest shows that it lives.
enum class HeartbeatMode {
  beat,  ///< it writes a newline every few seconds
  poll,  ///< it answers a newline with some figures and a line ":END"
};

/// Finds the signs of life in what a guest writes on its heartbeat line.
class HeartbeatReader : public SignsOfLife {
 public:
  explicit HeartbeatReader(HeartbeatMode mode) : mode_(mode) {}

  std::string_view probe() const override;
  bool feed(std::string_view bytes) override;
  void reset() override { line_.clear(); }

 private:
  bool take(char byte);

  HeartbeatMode mode_;
  std::string line_;  // the beginning of the line that is being read, one byte longer at most than any sign
};

}  // namespace pbotvm::transports

// SPDX-License-Identifier: MIT
#include "heartbeat_reader.h"

namespace pbotvm::transports {
namespace {
// What ends the answer to a probe; a cooked tty in the guest puts a carriage return behind it.
constexpr std::string_view answer_end = ":END";
constexpr std::string_view answer_end_cooked = ":END\r";
}  // namespace

std::string_view HeartbeatReader::probe() const {
  return mode_ == HeartbeatMode::poll ? "\n" : "";
}

bool HeartbeatReader::feed(std::string_view bytes) {
  bool sign = false;
  for (const char byte : bytes) sign = take(byte) || sign;
  return sign;
}

bool HeartbeatReader::take(char byte) {
  if (mode_ == HeartbeatMode::beat) return byte == '\n';
  if (byte != '\n') {
    // A longer line is no sign, however it goes on: one byte too many is enough to remember that.
    if (line_.size() <= answer_end_cooked.size()) line_.push_back(byte);
    return false;
  }
  // An empty line is the guest's echo of the probe, which a tty gives even when nobody reads it.
  const bool sign = line_ == answer_end || line_ == answer_end_cooked;
  line_.clear();
  return sign;
}

}  // namespace pbotvm::transports
